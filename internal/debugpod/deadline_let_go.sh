# sh -c THIS debugsession, by exec in a container that is held for its files: lets it end. It succeeds if nothing holds it.

self=$$ spare=
exec 2>/dev/null
tried=0
while [ "$tried" -lt 5 ]; do
  held || exit 0
  kill -USR1 "$holder"
  tried=$((tried + 1))
  tick
done
exit 1
