// Go's HTTPS server on each listener of a file: port, version, chain, key, client roots or -, the one server name or -,
// hangs or -.
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
	own, err := tls.LoadX509KeyPair(listener[2], listener[3])
	if err != nil {
		log.Fatal(err)
	}
	name := listener[5]
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if name != "-" && hello.ServerName != name {
			return nil, nil
		}
		return &own, nil
	}
	config.NextProtos = []string{"http/1.1"}
	if listener[6] == "hangs" {
		config.VerifyPeerCertificate = func([][]byte, [][]*x509.Certificate) error { select {} }
	}
	server := &http.Server{Handler: http.HandlerFunc(answer)}
	inner, err := tls.Listen("tcp", "127.0.0.1:"+listener[0], config)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(inner))
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/misdirected" {
		w.WriteHeader(http.StatusMisdirectedRequest)
	}
	w.Write([]byte("granted\n"))
}
