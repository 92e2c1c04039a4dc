// The customer of the installation guide, for a script in a root: an API on 10.20.0.7, and both host names.

/** Makes the certificates of the customer in /root/customer and names the hosts. */
export const customerPrepared = `
mkdir -p /root/customer
cd /root/customer
openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl req -x509 -new -key ca.key -days 365 -subj '/CN=Customer Root' -addext keyUsage=critical,keyCertSign -out customer-root.pem
openssl ecparam -name prime256v1 -genkey -noout -out api.key
printf 'subjectAltName=DNS:api.customer.example\\nextendedKeyUsage=serverAuth\\n' > api.cnf
openssl req -new -key api.key -subj '/CN=api.customer.example' |
  openssl x509 -req -CA customer-root.pem -CAkey ca.key -CAcreateserial -days 365 -extfile api.cnf -out api.pem
cat > nginx.conf <<'END'
events {}
http {
  access_log off;
  server {
    listen 10.20.0.7:443 ssl;
    ssl_certificate /root/customer/api.pem;
    ssl_certificate_key /root/customer/api.key;
    ssl_client_certificate /root/customer/platform-root.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_verify_client on;
    ssl_verify_depth 3;
    location / { return 200 "granted\\n"; }
  }
}
END
printf '127.0.0.1 localhost countersign.acme.example\\n10.20.0.7 api.customer.example\\n' > /etc/hosts
cd /root`;

/** Once the platform has a root: gives the customer that, and the platform the customer's; starts the API. */
export const customerStarted = `
if [ -f /etc/countersign/root.pem ] && [ ! -f /root/customer/platform-root.pem ]; then
  cp /etc/countersign/root.pem /root/customer/platform-root.pem
  cp /root/customer/customer-root.pem /etc/countersign/
  nginx -c /root/customer/nginx.conf
fi`;
