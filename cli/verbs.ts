// The verbs of `countersign`, in the order of its help.
import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { addDiagnose } from './verbs/diagnose.ts';
import { addDoctor } from './verbs/doctor.ts';
import { addIdentity } from './verbs/identity.ts';
import { addInvoke } from './verbs/invoke.ts';
import { addServe } from './verbs/serve.ts';

/** Each is `add<Verb>` of a file of its own, which loads what the verb needs when it is called and not before. */
export function addVerbs(program: Command, context: CommandContext): void {
  for (const add of [addIdentity, addDiagnose, addInvoke, addDoctor, addServe]) add(program, context);
}
