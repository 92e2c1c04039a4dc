// Reads certificate requests in PEM from standard input and tells, a line of JSON for each, what Go makes of them.
package main

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
)

type told struct {
	Signed    bool
	Algorithm string
	Subject   string
	Text      string
	Names     []string
}

func main() {
	rest, err := io.ReadAll(os.Stdin)
	if err != nil {
		panic(err)
	}
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return
		}
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			panic(err)
		}
		names := append([]string{}, request.DNSNames...)
		names = append(names, request.EmailAddresses...)
		for _, address := range request.IPAddresses {
			names = append(names, address.String())
		}
		for _, uri := range request.URIs {
			names = append(names, uri.String())
		}
		json.NewEncoder(os.Stdout).Encode(told{
			request.CheckSignature() == nil,
			request.SignatureAlgorithm.String(),
			hex.EncodeToString(request.RawSubject),
			request.Subject.String(),
			names,
		})
	}
}
