// setSecret: announces the certificate that is to come, before anything uses it, so that customers who pin can be told.
import { announceCertificate } from './announce-certificate.ts';
import { type Rotation, readCurrent, requirePending } from './rotation.ts';

export async function setSecret(rotation: Rotation): Promise<void> {
  const { identity } = await requirePending(rotation);
  await announceCertificate(rotation, 'Certificate Pending', identity, await readCurrent(rotation));
  rotation.record.outcome = 'announced';
}
