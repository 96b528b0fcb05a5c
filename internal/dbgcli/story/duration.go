package story

import (
	"strconv"
	"time"
)

// Duration is a duration as people say it, with two units at most: 12s, 4m30s, 1h5m.
func Duration(d time.Duration) string {
	d = d.Round(time.Second)
	if d < 0 {
		return "0s"
	}
	hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case hours > 0:
		return strconv.Itoa(hours) + "h" + unless0(minutes, "m")
	case minutes > 0:
		return strconv.Itoa(minutes) + "m" + unless0(seconds, "s")
	default:
		return strconv.Itoa(seconds) + "s"
	}
}

func unless0(n int, unit string) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n) + unit
}
