// Go: "A name" or "SRV name" on stdin, "ok address-or-target..." or "failed why" on stdout.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
)

func lookup(rrType, name string) ([]string, error) {
	if rrType != "SRV" {
		return net.LookupHost(name)
	}
	_, records, err := net.LookupSRV("", "", name)
	targets := []string{}
	for _, srv := range records {
		targets = append(targets, fmt.Sprintf("%s:%d", srv.Target, srv.Port))
	}
	return targets, err
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		found, err := lookup(words[0], words[1])
		if err != nil {
			fmt.Println("failed", err)
		} else {
			fmt.Println("ok", strings.Join(found, " "))
		}
	}
}
