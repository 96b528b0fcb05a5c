# sh -c THIS debugsession, by exec in a container that is held for its files: lets it end. It succeeds if nothing holds it.

self=$$ spare=
exec 2>/dev/null
tried=0
while [ "$tried" -lt 5 ]; do
  scan
  found=
  for pid in $mine; do
    called "$pid"
    [ "$name" = "holds files" ] && found=1 && kill -USR1 "$pid"
  done
  [ "$found" ] || exit 0
  tried=$((tried + 1))
  tick
done
exit 1
