//go:build linux

// Command sniff stands for tcpdump in the tests: it prints the interface, the source and the destination of as many IPv4 packets as its
// argument says.
package main

import (
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

func main() {
	log.SetFlags(0)
	if err := sniff(os.Args[1:]); err != nil {
		log.Fatal("sniff: ", err)
	}
}

func sniff(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: sniff COUNT")
	}
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	const all, ipv4 = 0x0300, 0x0008 // ETH_P_ALL, which alone has what is sent as well, and ETH_P_IP, in network byte order
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, all)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	packet := make([]byte, 1<<16)
	for seen := 0; seen < count; {
		length, from, err := syscall.Recvfrom(socket, packet, 0)
		if err != nil {
			return err
		}
		link, isLink := from.(*syscall.SockaddrLinklayer)
		if !isLink || link.Protocol != ipv4 || length < 20 {
			continue
		}
		seen++
		at, err := net.InterfaceByIndex(link.Ifindex)
		if err != nil {
			return err
		}
		fmt.Println(at.Name, netip.AddrFrom4([4]byte(packet[12:16])), ">", netip.AddrFrom4([4]byte(packet[16:20])))
	}
	return nil
}
