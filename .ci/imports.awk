# Prints "FROM TO" for each import between two files of src: module paths with / between, unit tests left out.
# A path is followed to the longest part of it that is a file. Reads the list of files in ARGV.
function module(file,   m) {
    m = file; sub(/^src\//, "", m); sub(/\.rs$/, "", m); sub(/\/mod$/, "", m)
    return m
}
function note(path,   part) {
    part = path
    while (part != "" && !(part in files)) if (!sub(/\/[^\/]*$/, "", part)) part = ""
    if (part != "" && part != here) print here, part
}
# One tree of a use statement: a::b::{c, d::{e}}.
function tree(prefix, text,   i, c, depth, piece) {
    gsub(/[ \t\n]/, "", text)
    i = index(text, "{")
    if (i == 0) { sub(/as[A-Z_].*$/, "", text); gsub(/::/, "/", text); note(prefix text); return }
    piece = substr(text, 1, i - 1); gsub(/::/, "/", piece); prefix = prefix piece
    text = substr(text, i + 1); sub(/}$/, "", text)
    depth = 0; piece = ""
    while (text != "") {
        c = substr(text, 1, 1); text = substr(text, 2)
        if (c == "{") depth++
        if (c == "}") depth--
        if (c == "," && depth == 0) { tree(prefix, piece); piece = "" } else piece = piece c
    }
    if (piece != "") tree(prefix, piece)
}
function base(word,   up) {
    if (word ~ /^crate::/) { sub(/^crate::/, "", word); rest = word; return "" }
    up = here
    if (word ~ /^self::/) { sub(/^self::/, "", word); rest = word; return up "/" }
    while (word ~ /^super::/) { sub(/^super::/, "", word); if (!sub(/\/[^\/]*$/, "", up)) up = "" }
    rest = word
    return up == "" ? "" : up "/"
}
BEGIN {
    for (i = 1; i < ARGC; i++) files[module(ARGV[i])] = 1
    for (i = 1; i < ARGC; i++) {
        here = module(ARGV[i]); text = ""
        while ((getline line < ARGV[i]) > 0) {
            if (line ~ /^#\[cfg\(test\)\]/) { getline line < ARGV[i]; if (line ~ /mod [a-z_]+ \{/) break; continue }
            sub(/[ \t]*\/\/.*/, "", line)
            text = text "\n" line
        }
        close(ARGV[i])
        while (match(text, /(^|[^A-Za-z0-9_:])(crate|self|super)::/)) {
            text = substr(text, RSTART + (substr(text, RSTART, 1) ~ /[cs]/ && RSTART == 1 ? 0 : 1))
            if (match(text, /^(crate|self|super)(::super)*::([A-Za-z0-9_]+::)*\{/)) {
                depth = 0
                for (j = RLENGTH; j <= length(text); j++) {
                    c = substr(text, j, 1)
                    if (c == "{") depth++
                    if (c == "}" && --depth == 0) break
                }
                word = substr(text, 1, j); text = substr(text, j + 1)
                dir = base(word); tree(dir, rest)
            } else {
                match(text, /^(crate|self|super)(::[A-Za-z0-9_]+)*/)
                word = substr(text, 1, RLENGTH); text = substr(text, RLENGTH + 1)
                dir = base(word); gsub(/::/, "/", rest); note(dir rest)
            }
        }
    }
}
