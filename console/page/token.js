// Asks for a bearer token where the installation wants one, and forgets it when told to.
import { hasToken, setToken } from './ask.js';
import { byId } from './elements.js';
import { setError } from './form.js';

/** @param {() => Promise<void>} onToken tries it */
export function setUpToken(onToken) {
  const field = /** @type {HTMLInputElement} */ (byId('token-value'));
  byId('token-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const value = field.value.trim();
    if (value === '') return setError(field, 'Give the token.');
    // Anything else cannot stand in a header.
    if (!/^[\x21-\x7e]+$/.test(value)) return setError(field, 'A token has letters, digits and signs, and no space.');
    setError(field);
    setToken(value);
    await onToken();
  });
  byId('forget').addEventListener('click', () => {
    setToken('');
    // Whatever the page has shown goes with it.
    location.reload();
  });
}

/** It is kept where the questions are asked, and nowhere else. */
export function tokenTaken() {
  /** @type {HTMLInputElement} */ (byId('token-value')).value = '';
}

/** The one that was given, if any, is not known to the server. */
export function askForToken() {
  const field = /** @type {HTMLInputElement} */ (byId('token-value'));
  const wasTried = hasToken();
  setToken('');
  field.value = '';
  if (wasTried) setError(field, 'The server does not know this token.');
  else field.focus();
}
