// Package userlimit limits how often something is done for one user, and for all users together: who asks over and over fills nothing,
// and takes no more than a share from the others.
package userlimit

import (
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/utils/lru"
)

const (
	// maxUsers is how many users are told apart.
	maxUsers = 512

	serviceAccountPrefix = "system:serviceaccount:"
)

// Rate is so many at once, and then one at a time.
type Rate struct {
	Burst int
	Every time.Duration
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(r.Every), r.Burst) }

// Limits may be used by many goroutines at once.
type Limits struct {
	user Rate

	mu    sync.Mutex
	all   *rate.Limiter
	users *lru.Cache // by user
}

type userLimit struct {
	rate    *rate.Limiter
	skipped int
}

// New returns the limits of one user, and of all together.
func New(user, all Rate) *Limits {
	return &Limits{user: user, all: all.limiter(), users: lru.New(maxUsers)}
}

// Allow reports whether it may be done once more for the user, and how often it was not since it was last.
func (l *Limits) Allow(user string, now time.Time) (ok bool, skipped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var own *userLimit
	if found, ok := l.users.Get(user); ok {
		own = found.(*userLimit)
	} else {
		own = &userLimit{rate: l.user.limiter()}
		l.users.Add(user, own)
	}
	// Neither limit is used up by what the other does not allow.
	if own.rate.TokensAt(now) < 1 || !l.all.AllowN(now, 1) {
		own.skipped++
		return false, 0
	}
	own.rate.AllowN(now, 1)
	skipped, own.skipped = own.skipped, 0
	return true, skipped
}

// ShareOf is whose limit a user is under. Whoever may make service accounts in a namespace may make many.
func ShareOf(user string) string {
	if rest, ok := strings.CutPrefix(user, serviceAccountPrefix); ok {
		namespace, _, _ := strings.Cut(rest, ":")
		return serviceAccountPrefix + namespace
	}
	return user
}
