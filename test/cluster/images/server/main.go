// Command server stands for a user's distroless application in the tests: one
// static binary, no shell, not root. It answers every request and logs it.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

func main() {
	address := ":8080"
	if port := os.Getenv("PORT"); port != "" {
		address = ":" + port
	}
	hostname, _ := os.Hostname() // only for the greeting
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %s from %s", r.Method, r.URL.Path, r.RemoteAddr)
		fmt.Fprintf(w, "hello from %s: %s\n", hostname, r.URL.Path)
	})
	server := &http.Server{Addr: address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	log.Printf("listening on %s as uid %d", address, os.Getuid())
	log.Fatal(server.ListenAndServe())
}
