// The verbs of `countersign`, in the order of its help. To add one: a file beside this one, and its line in the list.
import type { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { addDiagnose } from './diagnose.ts';
import { addDoctor } from './doctor.ts';
import { addIdentity } from './identity.ts';
import { addInvoke } from './invoke.ts';
import { addServe } from './serve.ts';

/** Each file exports `add<Verb>`, which declares the options and loads the use case only when the verb runs. */
const verbs = [addIdentity, addDiagnose, addInvoke, addDoctor, addServe];

export function addVerbs(program: Command, context: CommandContext): void {
  for (const add of verbs) add(program, context);
}
