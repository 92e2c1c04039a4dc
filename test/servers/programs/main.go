// Go's HTTPS server on each listener of a file: port, version, chain, key, client roots or -.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"net/http"
	"os"
	"strings"
)

var versions = map[string]uint16{"TLSv1.1": tls.VersionTLS11, "TLSv1.2": tls.VersionTLS12, "TLSv1.3": tls.VersionTLS13}

func main() {
	file, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(file)), "\n") {
		go listen(strings.Fields(line))
	}
	select {}
}

func listen(listener []string) {
	config := &tls.Config{MinVersion: versions[listener[1]], MaxVersion: versions[listener[1]]}
	if listener[4] != "-" {
		pem, err := os.ReadFile(listener[4])
		if err != nil {
			log.Fatal(err)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(pem)
	}
	granted := func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("granted\n")) }
	server := &http.Server{Addr: "127.0.0.1:" + listener[0], TLSConfig: config, Handler: http.HandlerFunc(granted)}
	log.Fatal(server.ListenAndServeTLS(listener[2], listener[3]))
}
