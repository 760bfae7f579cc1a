#!/usr/bin/env bash
# A stand-in for an agent's full-screen program. It does its words in order, then takes prompts:
#   slow SECONDS      draws nothing yet
#   ask TEXT COMMAND  asks, as a first start or a permission does, with its hook for a COMMAND that is not empty
#   half TEXT         text that a person has begun to type
#   swallow           loses the first Enter
#   late              loses an Enter within a quarter of a second of a paste, and says so
# What it took for prompts and answers goes to the file `taken` in its home folder, a line each.
stty -echo -icanon -icrnl min 1
printf '\033[?1049h\033[?2004h'
box='' swallow=0 late=0 pasted=0
rule=$(printf '─%.0s' {1..40})
draw() { printf '\033[H\033[2J%s\r\n%s\r\n%s\r\n' 'a transcript with > and 1. Yes in it' "$rule" "$1"; }
prompt() { draw "> $box"; }
ask() {
    [ -z "$2" ] || printf '{"hook_event_name":"PermissionRequest","tool_name":"Bash","tool_input":{"command":"%s"}}' "$2" | gt hook-event
    draw "$1"$'\r\n'" $2"$'\r\n❯ 1. Yes\r\n  2. Yes, always\r\n  3. No\r\n Esc to cancel'
    read -rsn1 key
    echo "answer $key" >>~/taken
    [ -z "$2" ] || echo '{"hook_event_name":"PostToolUse"}' | gt hook-event
}
work() {
    echo "prompt $1" >>~/taken
    echo '{"hook_event_name":"UserPromptSubmit"}' | gt hook-event
    for spin in '|' '/' '-' '|' '/' '-'; do
        draw "$spin Working… (esc to interrupt)"
        sleep 0.2
    done
    echo '{"hook_event_name":"Stop"}' | gt hook-event
}
while [ $# -gt 0 ]; do
    case $1 in
    slow) sleep "$2" && shift ;;
    ask) ask "$2" "$3" && shift 2 ;;
    half) box=$2 && shift ;;
    swallow) swallow=1 ;;
    late) late=1 ;;
    esac
    shift
done
prompt
paste=0 keys=''
while IFS= read -rsn1 -d '' key; do
    keys+=$key
    case $keys in
    *$'\033[200~') paste=1 box=${box%$'\033[200'} ;;
    *$'\033[201~') paste=0 box=${box%$'\033[201'} pasted=${EPOCHREALTIME/[.,]/} && prompt ;;
    *[$'\r\n'])
        if [ $paste = 1 ]; then
            box+=' '
        elif [ $swallow = 1 ]; then
            swallow=0
        elif [ $late = 1 ] && [ $((${EPOCHREALTIME/[.,]/} - pasted)) -lt 250000 ]; then
            echo early >>~/taken
        else
            text=$box box=''
            work "$text"
            prompt
        fi
        ;;
    *) box+=$key && [ $paste = 1 ] || [ "$key" = $'\033' ] || prompt ;;
    esac
done
