#!/bin/sh
# A bd with a state: gt's own store in a folder inside `.beads`, answering as bd 0.46.0 was seen to answer. What 0.46.0
# does not know is refused as it refuses it.
gt='@GT@'
refuse() { echo "Error: $1" >&2; exit 1; }
inner() { BEADS_DIR="$BEADS_DIR/inner/.beads" "$gt" bd "$@"; }
# Beads of an array, one a line.
lines() { awk '/^  [{]$/ { one = "{"; next } /^  [}],?$/ { print one "}"; next } /^[][]/ { next } { sub(/^ +/, ""); one = one $0 }'; }

command=$1
case "$command" in
  --version) echo 'bd version 0.46.0 (dev)'; exit ;;
  init)
    case "$2" in
      --help) printf '      --skip-hooks          Skip git hooks\n      --skip-merge-driver   Skip merge driver\n'; exit ;;
      --prefix) [ "$*" = "init --prefix $3 --quiet --skip-hooks --skip-merge-driver" ] || refuse "unknown flag: $*" ;;
      *) refuse "unknown flag: $2" ;;
    esac
    mkdir -p .beads/inner && echo '{}' > .beads/metadata.json && echo 'issues.jsonl' > .beads/.gitignore &&
      cd .beads/inner && exec env -u BEADS_DIR "$gt" bd init --prefix "$3" --quiet ;;
esac
test -d "$BEADS_DIR/inner" || refuse 'no beads database found'

case "$command ${2%%=*}" in
  'comments '* | 'dep add' | 'dep remove' | 'config set') known='json type' ;;
  'list '*) known='json limit all include-gates include-templates id' ;;
  'show '*) known='json' ;;
  'create '*) known='json title type priority assignee labels description design acceptance notes external-ref estimate parent id deps body-file' ;;
  'update '*) known='json status assignee title type priority description design acceptance notes external-ref estimate add-label remove-label' ;;
  'close '*) known='json force reason' ;;
  'export '*) known='status type assignee label' ;;
  'import '*) known='' ;;
  *) refuse "unknown command \"$command\" for \"bd\"" ;;
esac
count=$#
data=
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  case "$data$word" in
    --) data=yes ;;
    --include-*) continue ;;
    --*)
      name=${word#--}
      case " $known " in
        *" ${name%%=*} "*) ;;
        *) refuse "unknown flag: ${word%%=*}" ;;
      esac ;;
  esac
  set -- "$@" "$word"
done

case "$command" in
  export)
    shift
    inner list --json --all --limit=0 "$@" > "$BEADS_DIR/inner/$$" || refuse 'cannot read'
    lines < "$BEADS_DIR/inner/$$"
    rm "$BEADS_DIR/inner/$$" ;;
  show)
    # None of them found is no failure, and no answer.
    inner "$@" > "$BEADS_DIR/inner/$$"
    grep -q '^{' "$BEADS_DIR/inner/$$" || cat "$BEADS_DIR/inner/$$"
    rm "$BEADS_DIR/inner/$$" ;;
  # All beads of a store of bd are the person's.
  import) unset GT_ROLE; inner import --trust - ;;
  *) inner "$@" ;;
esac
