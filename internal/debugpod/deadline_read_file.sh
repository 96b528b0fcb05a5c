# sh -c THIS debugsession PATH MOST, by exec in a container that is held for its files: writes the file to its standard output. It exits with
#   40 if there is none, 41 if it is no regular file of this container, 42 if a part of its path is a symbolic link, 43 if it may not be
#   read, 44 if it cannot be told whose it is, 45 if reading failed, 46 if the container is not held: it is another of its name; 47 if it has
#   more than MOST bytes, as far as stat tells
# What is opened is looked at again: it may be another file than what was there before.

# links exits if a part of the path is a symbolic link.
links() {
  rest=${path#/} walked=
  while [ "$rest" ]; do
    walked=$walked/${rest%%/*}
    case $rest in
    */*) rest=${rest#*/} ;;
    *) rest= ;;
    esac
    [ -L "$walked" ] && exit 42
  done
}

# ours reports whether what is open is on a mount of this container: a link such as /proc/1/root leads to another's.
ours() {
  mount=
  while read -r key value; do
    [ "$key" = mnt_id: ] && mount=$value
  done </proc/self/fdinfo/7
  [ "$mount" ] || exit 44
  while read -r id rest; do
    [ "$id" = "$mount" ] && return
  done </proc/self/mountinfo
  return 1
}

# larger reports whether what is open has more bytes than it may. An image without stat does not tell.
larger() {
  size=$(stat -L -c %s /proc/self/fd/7)
  case $size in '' | *[!0-9]*) return 1 ;; esac
  [ "$size" -gt "$most" ]
}

self=$$ spare=
exec 2>/dev/null
path=$1 most=$2 opened=
held || exit 46
links
[ -e "$path" ] || exit 40
[ -f "$path" ] || exit 41
[ -r "$path" ] || exit 43
{
  opened=1
  [ -f /proc/self/fd/7 ] || exit 41
  links
  ours || exit 41
  larger && exit 47
  cat <&7 || exit 45
} 7<"$path"
[ "$opened" ] || exit 43
exit 0
