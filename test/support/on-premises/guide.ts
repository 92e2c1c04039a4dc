// docs/on-premises.md, "Install": its steps, and the parts of other people: the CA and systemd.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../tools/build/manifest.ts';

const page = readFileSync(join(root, 'docs/on-premises.md'), 'utf8');
export const guide = page.split('\n## Install\n')[1]?.split('\n## ')[0] ?? '';

/** The steps in their order. */
export const steps = guide.split('\n### ').map((text) => ({
  title: text.split('\n')[0] as string,
  blocks: [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block as string),
}));

/** The CA: signs each new request, `server.csr` for a server. */
export const authority = `
  [ -f authority/root.key ] || {
    mkdir authority
    openssl ecparam -name prime256v1 -genkey -noout -out authority/root.key
    openssl req -x509 -new -key authority/root.key -days 3650 -subj '/O=Acme/CN=Acme Root' -addext keyUsage=critical,keyCertSign -out root.pem
    openssl ecparam -name prime256v1 -genkey -noout -out authority/issuer.key
    printf 'basicConstraints=critical,CA:TRUE,pathlen:0\\nkeyUsage=critical,keyCertSign\\n' > authority/issuer.cnf
    openssl req -new -key authority/issuer.key -subj '/O=Acme/CN=Acme Issuer' |
      openssl x509 -req -CA root.pem -CAkey authority/root.key -CAcreateserial -days 1825 -extfile authority/issuer.cnf -out chain.pem
  }
  for request in *.csr; do
    name=\${request%.csr}
    [ -f "$request" ] && [ ! -f "$name.pem" ] || continue
    case $name in
      server) printf 'subjectAltName=DNS:localhost\\nextendedKeyUsage=serverAuth\\n' ;;
      *) printf 'keyUsage=critical,digitalSignature\\nextendedKeyUsage=clientAuth\\n' ;;
    esac > authority/leaf.cnf
    openssl x509 -req -in "$request" -CA chain.pem -CAkey authority/issuer.key -CAcreateserial -days 90 -extfile authority/leaf.cnf -out "$name.pem"
    [ $name != server ] || cat chain.pem >> server.pem
  done`;

export const serviceBlocks = steps.find(({ title }) => title.endsWith('Keep it running'))?.blocks ?? [];

/**
 * What systemd does with the unit: splits the options at blanks, and runs the command as the user, with its umask.
 * @param asUser a program with its arguments, which runs a command as the user of the service
 */
export function startedAsUnit(asUser: string): string {
  const unit = readFileSync(join(root, 'deploy/countersign.service'), 'utf8');
  return `
  . /etc/countersign/serve.env
  ( umask ${/^UMask=(\d+)$/m.exec(unit)?.[1]}
    exec ${asUser} ${/^ExecStart=(.+)$/m.exec(unit)?.[1]} ) > service.log 2>&1 &
  server=$!`;
}
