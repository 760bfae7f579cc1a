#!/bin/sh
# Hands the work of {{worker}} in by git alone: its branch, then a commit with an empty tree whose message is JSON and a proof of
# it, under a ref of its own on origin. gt collects it from there. Can be run again.
set -u
gt_worker={{worker}}
gt_rig={{rig}}
gt_name={{name}}
gt_instance={{instance}}
gt_bead={{bead}}
gt_branch={{branch}}
gt_target={{target}}
gt_home={{home}}
gt_proof={{town}}/.gt-start/$gt_instance.proof
gt_record={{record}}
gt_record_branch={{record_branch}}
# Not empty: commits of submodules are pushed to their origins first.
gt_push={{push}}

usage() {
  cat <<'END'
Usage: sh "$GT_DONE" [-m NOTES] [--bead TITLE [--description TEXT]]... [--no-changes REASON]
Hands finished work in. Commit everything first.
  -m NOTES             what is to be known about the work
  --bead TITLE         new work that was found on the way; gt makes a bead of it
  --description TEXT   more about the --bead before it
  --no-changes REASON  there was nothing to do
END
}

refuse() {
  printf 'gt: %s\n' "$1" >&2
  exit 1
}

# A text as a JSON string. The last character keeps final newlines from being lost on the way.
json() {
  printf '%s.\n' "$1" | LC_ALL=C awk '
    BEGIN {
      for (i = 1; i < 32; i++) escaped[sprintf("%c", i)] = sprintf("\\u%04x", i)
      escaped[sprintf("%c", 127)] = "\\u007f"
      escaped["\""] = "\\\""
      escaped["\\"] = "\\\\"
    }
    { text = text (NR > 1 ? "\n" : "") $0 }
    END {
      printf "\""
      n = length(text) - 1
      for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        printf "%s", (c in escaped) ? escaped[c] : c
      }
      printf "\""
    }'
}

# COMMIT PATH: refuses a link to another repository whose commit others cannot fetch. The path is inside $gt_home.
check_link() {
  git config --blob HEAD:.gitmodules --get-regexp '^submodule\..*\.path$' 2>/dev/null | sed 's/^submodule\..*\.path //' | grep -qxF -e "$2" ||
    refuse "$2 is a repository of its own, and the branch holds only a link to it: take the link out: git rm --cached '$2'; or make it a submodule: git submodule add URL '$2'"
  # A submodule that is not checked out is checked before the merge.
  [ -e "$2/.git" ] || return 0
  git -C "$2" fetch -q --no-tags --prune origin '+refs/heads/*:refs/remotes/origin/*' || refuse "cannot ask the origin of $2 for $1"
  only=$(git -C "$2" rev-list -n 1 "$1" --not --remotes=origin) || refuse "cannot tell whether the origin of $2 has $1"
  [ -n "$only" ] || return 0
  to=$gt_branch-$(printf '%.10s' "$1")
  [ -n "$gt_push" ] || refuse "$2 is to stand at $1, which is not at its origin: git -C '$2' push origin $1:refs/heads/$to"
  git -C "$2" push -q --no-recurse-submodules origin "$1:refs/heads/$to" || refuse "cannot push $1 of $2 to its origin"
}

notes=
beads=
outcome="done"
reason=
while [ "$#" -gt 0 ]; do
  case $1 in
  -h | --help)
    usage
    exit 0
    ;;
  -m | --message | --bead | --description | --no-changes)
    [ "$#" -gt 1 ] || refuse "$1 needs a text after it"
    ;;
  *)
    usage >&2
    exit 2
    ;;
  esac
  case $1 in
  -m | --message)
    notes="$notes${notes:+
}$2"
    ;;
  --bead)
    [ -n "$2" ] || refuse "--bead needs a title"
    [ -z "$beads" ] || beads="$beads},"
    beads="$beads{\"title\":$(json "$2")"
    ;;
  --description)
    [ -n "$beads" ] || refuse "--description belongs after a --bead"
    beads="$beads,\"description\":$(json "$2")"
    ;;
  --no-changes)
    [ -n "$2" ] || refuse "--no-changes needs a reason"
    outcome=no-changes
    reason=$2
    ;;
  esac
  shift 2
done
[ -z "$beads" ] || beads="$beads}"
[ -z "$reason" ] || notes="$reason${notes:+
}$notes"

cd "$gt_home" || refuse "cannot go to $gt_home"
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
branch=$(git symbolic-ref -q --short HEAD) || refuse "no branch is checked out (a rebase goes on?): git status"
[ "$branch" = "$gt_branch" ] || refuse "the branch is $branch, not $gt_branch: git checkout $gt_branch"
dirty=$(git status --porcelain) || refuse "cannot read the state of $gt_home"
if [ -n "$dirty" ]; then
  printf '%s\n' "$dirty" >&2
  refuse "not everything is committed: git add and git commit it, or throw it away"
fi
commit=$(git rev-parse --verify HEAD) || refuse "there is no commit"
ahead=$(git rev-list --count "refs/remotes/origin/$gt_target..HEAD") || refuse "cannot count the commits"
if [ "$outcome" = "done" ]; then
  [ "$ahead" != 0 ] || refuse "there is no commit that $gt_target lacks; if nothing had to be changed: sh \"\$GT_DONE\" --no-changes REASON"
  links=$(git -c core.quotePath=false diff --raw --no-abbrev --no-renames --ignore-submodules=none "refs/remotes/origin/$gt_target...HEAD") || refuse "cannot read the commits"
  while IFS='	' read -r change path; do
    case $change in
    :*' 160000 '*) ;;
    *) continue ;;
    esac
    link=${change% *}
    check_link "${link##* }" "$path"
  done <<END
$links
END
  known=$(git rev-parse -q --verify "refs/remotes/origin/$gt_branch")
  if ! said=$(git push -q --no-recurse-submodules origin "HEAD:refs/heads/$gt_branch" 2>&1); then
    # What was pushed before may be replaced when it is this worktree's own, as far as git knows.
    again=$(git push -q --no-recurse-submodules "--force-with-lease=refs/heads/$gt_branch:$known" origin "HEAD:refs/heads/$gt_branch" 2>&1) || {
      printf '%s\n' "$said" "$again" >&2
      refuse "cannot push $gt_branch: nothing is lost, the commits are in $gt_home; mend it, then run this again"
    }
  fi
fi

tree=$(git hash-object -t tree -w --stdin </dev/null) || refuse "cannot write into the repository"
message=$(
  printf '{"version":1,"rig":%s,"worker":%s,' "$(json "$gt_rig")" "$(json "$gt_worker")"
  printf '"instance":%s,"bead":%s,' "$(json "$gt_instance")" "$(json "$gt_bead")"
  printf '"branch":%s,"commit":%s,' "$(json "$gt_branch")" "$(json "$commit")"
  printf '"outcome":%s,"notes":%s,"beads":[%s]}' "$(json "$outcome")" "$(json "$notes")" "$beads"
)
# Reads a message; writes its commit.
record() {
  git -c user.name="$gt_worker" -c user.email=gastown@localhost -c i18n.commitEncoding=UTF-8 commit-tree "$tree"
}
letter=$(printf '%s\n' "$message" | record) || refuse "cannot write into the repository"
# Only this session and its town know the secret in the file, and it stands on no command line. Without it a person has to adopt
# the work. What is hashed is what git wrote: it makes UTF-8 of anything else.
if [ -s "$gt_proof" ]; then
  message=$(git cat-file commit "$letter" | sed '1,/^$/d')
  proof=$({ cat "$gt_proof" && printf '%s\n' "$message"; } | git hash-object --stdin) || refuse "cannot read $gt_proof"
  letter=$(printf '%s\n\ngt-proof: %s\n' "$message" "$proof" | record) || refuse "cannot write into the repository"
fi
# Some servers take branches only.
if ! said=$(git push -q --no-recurse-submodules origin "+$letter:$gt_record" 2>&1); then
  again=$(git push -q --no-recurse-submodules origin "+$letter:$gt_record_branch" 2>&1) || {
    printf '%s\n' "$said" "$again" >&2
    refuse "cannot hand in: nothing is lost, the commits are in $gt_home; mend it, then run this again"
  }
fi
if [ "$outcome" = "done" ]; then
  printf 'handed in %s: %s at %s\n' "$gt_bead" "$gt_branch" "$commit"
else
  printf 'handed in %s without changes\n' "$gt_bead"
fi
