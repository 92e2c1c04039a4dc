// The demo's certificate authorities of the customer and the platform, created at the first start.
import { createPublicKey, X509Certificate } from 'node:crypto';
import * as v from 'valibot';
import { type Authority, createAuthority, openAuthority } from '../authority/authority.ts';
import { createState, readState } from '../state.ts';

export interface DemoAuthorities {
  /** Signs the certificates of the demo API. */
  readonly customer: Authority;
  /** Below the platform's root; signs the client certificate. */
  readonly platform: Authority;
}

/** Distinguishes a demo identity from one that the user stored under the same name. */
export const platformRootName = 'Countersign demo platform root';

const keptAuthority = v.object({ certificate: v.string(), privateKey: v.string() });
const keptAuthorities = v.object({
  customer: keptAuthority,
  platform: v.object({ ...keptAuthority.entries, intermediates: v.string(), root: v.string() }),
});

/** @throws a one-sentence Error that names the file when what it holds cannot be used; it is left as it is */
export async function openAuthorities(file: string): Promise<DemoAuthorities> {
  const text = await readState(file);
  if (text !== undefined) return parse(file, text);
  const made = makeAuthorities();
  const kept: v.InferOutput<typeof keptAuthorities> = {
    customer: { certificate: made.customer.certificate, privateKey: made.customer.privateKey },
    platform: {
      certificate: made.platform.certificate,
      privateKey: made.platform.privateKey,
      intermediates: made.platform.intermediates,
      root: made.platform.root,
    },
  };
  if (await createState(file, `${JSON.stringify(kept, null, 2)}\n`)) return made;
  return parse(file, (await readState(file)) ?? '');
}

/** The root's key is discarded: the intermediate signs all certificates. */
function makeAuthorities(): DemoAuthorities {
  return {
    customer: createAuthority({ commonName: 'Countersign demo customer CA' }),
    platform: createAuthority({ commonName: platformRootName }).intermediate({
      commonName: 'Countersign demo platform intermediate',
    }),
  };
}

function parse(file: string, text: string): DemoAuthorities {
  try {
    const { customer, platform } = v.parse(keptAuthorities, JSON.parse(text));
    const opened = {
      customer: openAuthority(customer.certificate, customer.privateKey),
      platform: openAuthority(platform.certificate, platform.privateKey, platform.intermediates, platform.root),
    };
    for (const authority of [opened.customer, opened.platform]) checkAuthority(authority);
    return opened;
  } catch (cause) {
    const sentence = `The file ${file} is broken: delete its folder to start afresh (its secrets go with it).`;
    throw new Error(sentence, { cause });
  }
}

function checkAuthority({ certificate, privateKey, root }: Authority): void {
  const x509 = new X509Certificate(certificate);
  const matches = x509.publicKey.equals(createPublicKey(privateKey));
  const isSigned = x509.verify(new X509Certificate(root).publicKey);
  if (!matches || !isSigned || x509.validToDate.getTime() < Date.now()) throw new Error('An authority is not usable.');
}
