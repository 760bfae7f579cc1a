#!/bin/sh
# A bd with a state: gt's own store in a folder inside `.beads`, answering as bd @VERSION@ was seen to answer. What that
# version does not know is refused as it refuses it.
gt='@GT@'
version='@VERSION@'
refuse() { echo "Error: $1" >&2; exit 1; }
# From outside the town: by the prefix of an id gt would find its way back here.
inner() ( unset GT_TOWN_ROOT; cd / && BEADS_DIR="$BEADS_DIR/inner/.beads" exec "$gt" bd "$@" )
# Beads of an array, one a line.
lines() { awk '/^  [{]$/ { one = "{"; next } /^  [}],?$/ { print one "}"; next } /^[][]/ { next } { sub(/^ +/, ""); one = one $0 }'; }
# The ids of beads, one a line.
ids() { sed -n 's/^[^[]*"id":"\([^"]*\)".*/\1/p'; }

case "$version" in
  0.*) whole= skips='--skip-hooks --skip-merge-driver' ;;
  *) whole=yes skips='--skip-hooks --skip-agents --non-interactive --role maintainer' ;;
esac

command=$1
case "$command" in
  --version) echo "bd version $version (dev)"; exit ;;
  init)
    case "$2" in
      --help) for flag in $skips; do printf '      %s   Skip\n' "$flag"; done; exit ;;
      --prefix) [ "$*" = "init --prefix $3 --quiet $skips" ] || refuse "unknown flag: $*" ;;
      *) refuse "unknown flag: $2" ;;
    esac
    mkdir -p .beads/inner .beads/embeddeddolt && echo '{}' > .beads/metadata.json && echo 'issues.jsonl' > .beads/.gitignore &&
      cd .beads/inner && exec env -u BEADS_DIR "$gt" bd init --prefix "$3" --quiet ;;
esac
test -d "$BEADS_DIR/inner" || refuse 'no beads database found'

# What every write of that version changes.
case "$whole$command $2" in
  yeslist* | yesshow* | yesexport*)
    # A read makes the index of the journal anew, and the backup that is due, which is written to the store.
    echo "$$" > "$BEADS_DIR/embeddeddolt/journal.idx"
    if [ "$BD_BACKUP_ENABLED" != false ] && ! cmp -s "$BEADS_DIR/backup" "$BEADS_DIR/embeddeddolt/journal"; then
      echo >> "$BEADS_DIR/embeddeddolt/journal"
      cp "$BEADS_DIR/embeddeddolt/journal" "$BEADS_DIR/backup"
    fi ;;
  list* | *show* | *export* | *dolt* | *'config get') ;;
  yes*) trap 'echo >> "$BEADS_DIR/embeddeddolt/journal"' EXIT ;;
  *) trap 'echo >> "$BEADS_DIR/issues.jsonl"' EXIT ;;
esac

texts='title type priority assignee labels description design acceptance notes external-ref estimate'
case "$whole$command ${2%%=*}" in
  *'comments '* | *'dep add' | *'dep remove' | *'config set' | *'config get') known='json type' ;;
  'list '*) known='json limit all include-gates include-templates id' ;;
  'yeslist '*) known='json limit all include-gates include-templates include-infra id status type assignee label' ;;
  *'show '*) known='json'; [ "$version" != 1.0.5 ] || known='json include-comments' ;;
  'create '*) known="json $texts parent id deps body-file" ;;
  'yescreate '*) known="json $texts parent id deps body-file metadata no-inherit-labels" ;;
  'update '*) known="json status add-label remove-label $texts" ;;
  'yesupdate '*) known="json status add-label remove-label $texts metadata unset-metadata" ;;
  *'close '*) known='json force reason' ;;
  'export '*) known='status type assignee label' ;;
  'yesexport '*) known='all' ;;
  'import '*) known='' ;;
  'yesimport '* | 'yesbatch '* | 'yesdolt remote') known='json' ;;
  *) refuse "unknown command \"$command\" for \"bd\"" ;;
esac
count=$#
data= all= include= status= gone=
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  case "$data$word" in
    --) data=yes ;;
    --*)
      name=${word#--}
      case " $known " in
        *" ${name%%=*} "*) ;;
        *) refuse "unknown flag: ${word%%=*}" ;;
      esac
      case "$word" in
        --include-infra) include=yes; continue ;;
        --include-* | --no-inherit-labels) continue ;;
        --all) all=yes ;;
        --status=*) status=yes ;;
        --unset-metadata=*) gone="$gone${gone:+,}\"${word#*=}\":null"; continue ;;
      esac ;;
  esac
  set -- "$@" "$word"
done

# One line of `batch`: words, or texts in quotes.
line() {
  case "$1" in
    close) inner close --force --reason="$3" -- "$2" ;;
    dep) inner dep add --type="$5" -- "$3" "$4" ;;
    update)
      id=$2
      count=$(($# - 2))
      shift 2
      while [ "$count" -gt 0 ]; do set -- "$@" "--$1"; shift; count=$((count - 1)); done
      inner update "$@" -- "$id" ;;
    *) refuse "unknown command in batch: $1" ;;
  esac
}

case "$command" in
  list)
    # Messages and requests are infrastructure there.
    if [ "$include" ] && [ -z "$all" ]; then
      set -- "$@" --all
      [ "$status" ] || set -- "$@" --status=open,hooked,in_progress,blocked
    fi
    inner "$@" ;;
  export)
    shift
    inner list --json --all --limit=0 "$@" > "$BEADS_DIR/inner/$$" || refuse 'cannot read'
    lines < "$BEADS_DIR/inner/$$"
    rm "$BEADS_DIR/inner/$$" ;;
  show)
    [ "$whole" ] && { inner "$@"; exit; }
    # None of them found is no failure, and no answer.
    inner "$@" > "$BEADS_DIR/inner/$$"
    grep -q '^{' "$BEADS_DIR/inner/$$" || cat "$BEADS_DIR/inner/$$"
    rm "$BEADS_DIR/inner/$$" ;;
  update)
    [ -z "$gone" ] || { shift; set -- update --metadata="{$gone}" "$@"; }
    inner "$@" ;;
  import)
    # All beads of a store of bd are the person's.
    unset GT_ROLE
    case "$whole:$*" in :import | yes:*' -') ;; *) refuse "cannot read from $*" ;; esac
    prefix=$(inner config get prefix)
    count=0
    while IFS= read -r line; do
      count=$((count + 1))
      # What has no id gets one; what has no time is newer than what is there.
      case "$line" in
        '{"_type":"issue","id":""'*) line="{\"_type\":\"issue\",\"id\":\"$prefix-$$n$count\"${line#*'"id":""'}" ;;
      esac
      case "$line" in
        *'"updated_at"'*) ;;
        *)
          at=$(inner show --json -- "$(printf '%s\n' "$line" | ids)" | sed -n 's/^    "updated_at": "\(.*\)Z".*/\19Z/p')
          line="${line%?},\"updated_at\":\"$at\"}" ;;
      esac
      printf '%s\n' "$line"
    done > "$BEADS_DIR/inner/$$"
    if [ -z "$whole" ]; then
      allowed=" $prefix $(inner config get allowed_prefixes | tr , ' ') "
      for id in $(ids < "$BEADS_DIR/inner/$$"); do
        case "$allowed" in
          *" ${id%%-*} "*) ;;
          *) printf '\n=== Prefix Mismatch Detected ===\nDatabase configured prefix: %s-\n' "$prefix" >&2; exit 1 ;;
        esac
        # What the setting allows the store itself does not take.
        case "$id" in
          "$prefix"-*) ;;
          *) printf "Import failed: validate ID prefix for %s: issue ID '%s' does not match configured prefix '%s'\n" "$id" "$id" "$prefix" >&2; exit 1 ;;
        esac
      done
    fi
    inner import --trust - < "$BEADS_DIR/inner/$$" > "$BEADS_DIR/inner/$$.said" || exit
    if [ "$whole" ]; then
      printf '{\n  "created": 1,\n  "ids": [%s],\n  "source": "stdin"\n}\n' \
        "$(ids < "$BEADS_DIR/inner/$$" | sed 's/.*/"&"/' | paste -sd, -)"
    else
      cat "$BEADS_DIR/inner/$$.said"
    fi
    rm "$BEADS_DIR/inner/$$" "$BEADS_DIR/inner/$$.said" ;;
  batch)
    while IFS= read -r line; do
      eval "line $(printf '%s\n' "$line" | sed 's/[$`]/\\&/g')" > /dev/null || exit
    done
    echo '{ "status": "ok" }' ;;
  # There is none.
  dolt) echo null ;;
  *) inner "$@" ;;
esac
