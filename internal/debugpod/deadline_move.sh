# sh -c THIS debugsession DEADLINE, by exec in a container whose command runs in the wrapper: moves its end to DEADLINE.
# It calls itself by that, and tells the watchdog to look. That it was heard is seen from the watchdog's own name. It fails
# if there is no watchdog, or one that does not answer: it is at the end already, or the deadline is past the hard one.

self=$$ spare=
exec 3>&2 2>/dev/null
echo "until$1" >/proc/self/comm
tried=0
while [ "$tried" -lt 23 ]; do
  scan
  for pid in $mine; do
    called "$pid"
    case $name in
    # Another that still asks was begun before this one: its connection was lost, and what it asks is out of date.
    until[1-9]*) [ "$tried" = 0 ] && kill -KILL "$pid" ;;
    "ends $1") exit 0 ;;
    "ends "[1-9]*) kill -USR1 "$pid" ;;
    esac
  done
  # The answer comes at once, or when a busy machine gets to it.
  [ "$tried" -lt 20 ] || tick
  tried=$((tried + 1))
done
echo "debugsession: the debugger's watchdog does not answer" >&3
exit 1
