# sh -c THIS, by exec in a container whose command runs in the wrapper: ends it now.
# The watchdog does the work, and goes on with it should this process die. The first signal makes it ask the processes
# to end, the next, a second later, makes it kill them. With the wrapper gone the runtime kills this process too: what it
# exits with says nothing, the container's status says it all.

# pause lets a second go by without a process to sleep.
pause() {
  clock
  awake=$later
  while [ "$time" -lt "$awake" ]; do clock; done
}

self=$$ spare=
exec 3>&2 2>/dev/null
# The processes are asked with TERM and HUP. The naps of this one are among them.
trap '' HUP TERM
clock
until=$((${up%.*} + 5))${up#*.}
while [ "$time" -lt "$until" ]; do
  scan
  [ "$mine" ] || exit 0
  for pid in $mine; do kill -URG "$pid"; done
  sleep 1
  # The watchdog has killed the nap: the container is about to end, and this process with it. A new one would be left to
  # the target.
  [ $? -gt 128 ] && pause
  clock
done
# There is no watchdog, or somebody stopped it.
spare=1
finish
pause
spare=
finish || echo "debugsession: these processes resist: $mine" >&3
[ -z "$mine" ]
