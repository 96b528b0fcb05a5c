package notify

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

const (
	// Of one user a few refusals are told, and then one every ten seconds; of all users together more.
	userBurst, userEvery = 3, 10 * time.Second
	allBurst, allEvery   = 30, 500 * time.Millisecond

	// maxUsers is how many users are told apart.
	maxUsers = 512

	serviceAccountPrefix = "system:serviceaccount:"
)

// limits keep a user who is refused over and over from filling what waits, and from taking the place of others.
type limits struct {
	mu    sync.Mutex
	all   *rate.Limiter
	users *lru.Cache // by user
}

type userLimit struct {
	rate       *rate.Limiter
	suppressed int
}

func newLimits() *limits {
	return &limits{all: rate.NewLimiter(rate.Every(allEvery), allBurst), users: lru.New(maxUsers)}
}

// allow reports whether a refusal of the user is told, and how many before it were not.
func (l *limits) allow(user string, now time.Time) (ok bool, suppressed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own *userLimit
	if found, ok := l.users.Get(user); ok {
		own = found.(*userLimit)
	} else {
		own = &userLimit{rate: rate.NewLimiter(rate.Every(userEvery), userBurst)}
		l.users.Add(user, own)
	}
	if !own.rate.AllowN(now, 1) || !l.all.AllowN(now, 1) {
		own.suppressed++
		return false, 0
	}
	suppressed, own.suppressed = own.suppressed, 0
	return true, suppressed
}

// shareOf is whose limit a user is under. Whoever may make service accounts in a namespace may make many.
func shareOf(user string) string {
	if rest, ok := strings.CutPrefix(user, serviceAccountPrefix); ok {
		namespace, _, _ := strings.Cut(rest, ":")
		return serviceAccountPrefix + namespace
	}
	return user
}
