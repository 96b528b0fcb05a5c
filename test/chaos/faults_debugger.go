package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"debugsession.dev/operator/api/v1alpha1"
)

// A debugger's own time to resist in.
const short = 12 * time.Second

// secondLine is how long after its deadline a debugger may run that has made its watchdog powerless: the operator waits for eight
// seconds for it to end by itself, and its exec for five for the watchdog.
const secondLine = 17 * time.Second

// debuggerFaults are debuggers that do not want to end.
func debuggerFaults() []*fault {
	return []*fault{
		resists("ignores-signals", "debugger ignores TERM, HUP and INT", 3, `
trap '' TERM HUP INT QUIT
while :; do sleep 1000; done`, copied),
		resists("in-background", "debugger forks into the background", 6, `
(trap '' TERM HUP; while :; do sleep 1000; done) &
sleep 1000 & sleep 1000 &
while :; do sleep 1000; done`, copied),
		resists("double-forks", "debugger double-forks, and leaves its session and process group", 12, `
stay="trap '' TERM HUP; while :; do sleep 1000; done"
(setsid sh -c "$stay" >/dev/null 2>&1 &)
(setsid sh -c "(sh -c \"$stay\" &) " >/dev/null 2>&1 &)
exec sleep 100000`, copied),
		resists("many-processes", "debugger keeps 200 processes, and starts new ones for those that end", 500, `
trap '' TERM HUP
n=0
while [ $n -lt 200 ]; do sleep 1000 & n=$((n + 1)); done
while [ $n -lt 400 ]; do wait -n 2>/dev/null || sleep 1; sleep 1000 & n=$((n + 1)); done
sleep 1000`, copied),
		{
			// Alone, as it takes a whole processor: the sweep has to catch what is gone when it looks again. If it does not, it
			// kills the wrapper, and the runtime what is in the container's cgroup.
			name: "never-the-same", broken: "debugger is a chain of processes, each of which starts the next and exits",
			within: 12 * time.Second, run: resist(5000, `
hop='[ $1 -lt 4000 ] && { sh -c "$0" "$0" $(($1 + 1)) & }; sleep 0.01'
sh -c "$hop" "$hop" 0
exec sleep 100000`),
		},
		{
			name: "watchdog-stopped", broken: "debugger stops the watchdog and the wrapper (SIGSTOP), ignores TERM",
			within: secondLine, gentle: true, short: true,
			run: resist(6, `trap '' TERM HUP; `+siblings("STOP")+` kill -STOP $PPID; while :; do sleep 1000; done`),
		},
		{
			name: "watchdog-killed", broken: "debugger kills the watchdog (SIGKILL), ignores TERM",
			within: secondLine, gentle: true, short: true,
			run: resist(6, `trap '' TERM HUP; `+siblings("KILL")+` while :; do sleep 1000; done`),
		},
		{
			name: "process-table-full", broken: "debugger fills its pod's process table (pids.max), ignores TERM",
			within: 8 * time.Second, gentle: true, short: true, run: processTableFull,
		},
	}
}

// siblings sends a signal to the other children of the wrapper, which is the debugger's parent: that is the watchdog.
func siblings(signal string) string {
	return fmt.Sprintf(`for dir in /proc/[0-9]*; do
  read -r stat <$dir/stat || continue
  set -- ${stat##*) }
  [ "$2" = "$PPID" ] && [ "${stat%%%% *}" != $$ ] && kill -%s "${stat%%%% *}"
done;`, signal)
}

// watchdogSleeps waits until the watchdog has the two processes in which it waits for a deadline within the next minute. Before that
// it could not start them in a full process table, and ends the debugger early.
const watchdogSleeps = `
until
  sleeping=0
  for dir in /proc/[0-9]*; do
    read -r stat <$dir/stat || continue
    case $stat in *'(sleep)'*) ;; *) continue ;; esac
    set -- ${stat##*) }
    read -r stat </proc/$2/stat || continue
    set -- ${stat##*) }
    [ "$2" = $PPID ] && sleeping=$((sleeping + 1))
  done 2>/dev/null
  [ $sleeping = 2 ]
do :; done`

func resists(name, broken string, zombies int, text string, more ...option) *fault {
	return &fault{name: name, broken: broken, within: 8 * time.Second, gentle: true, short: true, run: resist(zombies, text, more...)}
}

// resist runs the script in an ephemeral container, and in a copy if more says so, until their time is up.
func resist(zombies int, text string, more ...option) func(*stage) {
	return func(s *stage) {
		web := s.target()
		web.zombies = zombies
		all := []*session{s.session("hang", on(web), script(text), lasting(short))}
		if len(more) > 0 {
			all = append(all, s.session("copy", append([]option{on(web), script(text), lasting(short)}, more...)...))
		}
		s.reach(v1alpha1.PhaseActive, short, all...)
		s.end(short+time.Minute, all...)
	}
}

// processTableFull is what a node with podPidsLimit makes of a fork bomb: nobody can start a process in the pod any more,
// the watchdog neither.
func processTableFull(s *stage) {
	const limit = 60
	web := s.target()
	web.zombies = limit
	h := s.session("hang", on(web), lasting(short), script(`
trap '' TERM HUP
`+watchdogSleeps+`
(while :; do sleep 1000 & done) 2>/dev/null &
wait
exec tail -f /dev/null`))
	pod, err := pidsCgroup(web.pid)
	s.must("finding the pod's cgroup", err)
	s.must("limiting the pod's processes", os.WriteFile(filepath.Join(pod, "pids.max"), fmt.Append(nil, limit), 0))
	s.reach(v1alpha1.PhaseActive, short, h)
	s.eventually(short, "the pod reaches its process limit", func() bool {
		content, err := os.ReadFile(filepath.Join(pod, "pids.current"))
		s.must("counting the pod's processes", err)
		count, err := strconv.Atoi(strings.TrimSpace(string(content)))
		return err == nil && count >= limit-1 // the one that could start no more has gone
	})
	s.say("the pod's process table is full")
	s.end(short+time.Minute, h)
}

var pidsLine = regexp.MustCompile(`(?m)^(?:\d+:pids:|0::)(/.*/pod[0-9a-f-]{36})`)

// pidsCgroup is the folder in which the processes of the pod of this process are limited, as podPidsLimit does it.
func pidsCgroup(pid int) (string, error) {
	cgroup, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", err
	}
	var tried []string
	for _, at := range pidsLine.FindAllSubmatch(cgroup, -1) {
		for _, root := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
			folder := filepath.Join(root, string(at[1]))
			tried = append(tried, folder)
			if _, err := os.Stat(filepath.Join(folder, "pids.max")); err == nil {
				return folder, nil
			}
		}
	}
	return "", fmt.Errorf("no process limit found in: %s", strings.Join(tried, ", "))
}
