// smallstep's certificate authority on a free port of loopback, as the configuration in a file says; prints its port.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/go-chi/chi"
	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/authority"
	"github.com/smallstep/certificates/authority/config"
)

func main() {
	configuration, err := config.LoadConfiguration(os.Args[1])
	fail(err)
	signer, err := authority.New(configuration)
	fail(err)
	certificate, err := signer.GetTLSCertificate()
	fail(err)

	// As step-ca itself does it: a client certificate is verified when there is one.
	clients := x509.NewCertPool()
	for _, root := range signer.GetRootCertificates() {
		clients.AddCert(root)
	}
	routes := chi.NewRouter()
	api.New(signer).Route(routes)
	routes.Route("/1.0", func(below chi.Router) { api.New(signer).Route(below) })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	fail(err)
	fmt.Printf("port %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{Handler: routes, TLSConfig: &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{*certificate},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    clients,
	}}
	fail(server.ServeTLS(listener, "", ""))
}

func fail(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
