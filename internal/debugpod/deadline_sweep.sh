# sh -c THIS, by exec in a container whose command runs in the wrapper: ends it now.
# The watchdog does the work, and goes on with it should this process die. The first signal makes it ask the processes
# to end, the next, a second later, makes it kill them. With the wrapper gone the runtime kills this process too: what it
# exits with says nothing, the container's status says it all.

self=$$ spare=
exec 3>&2 2>/dev/null
# The processes are asked with TERM and HUP.
trap '' HUP TERM
tried=0
while [ "$tried" -lt 5 ]; do
  scan
  [ "$mine" ] || exit 0
  for pid in $mine; do kill -URG "$pid"; done
  tried=$((tried + 1))
  tick
done
# There is no watchdog, or somebody stopped it.
spare=1
finish
tick
spare=
finish || echo "debugsession: these processes resist: $mine" >&3
[ -z "$mine" ]
