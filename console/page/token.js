// The form for the bearer token, and the button that removes it.
import { hasToken, setToken } from './ask.js';
import { byId } from './elements.js';
import { setError } from './form.js';

/** @param {() => Promise<void>} onToken sends a request with it */
export function setUpToken(onToken) {
  const field = /** @type {HTMLInputElement} */ (byId('token-value'));
  byId('token-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const value = field.value.trim();
    if (value === '') return setError(field, 'Enter the token.');
    // Other characters are not valid in a header.
    if (!/^[\x21-\x7e]+$/.test(value))
      return setError(field, 'A token can contain letters, digits and symbols, but no spaces.');
    setError(field);
    setToken(value);
    await onToken();
  });
  byId('forget').addEventListener('click', () => {
    setToken('');
    // Removes the data of this token from the page.
    location.reload();
  });
}

/** Only ask.js keeps the token. */
export function tokenTaken() {
  /** @type {HTMLInputElement} */ (byId('token-value')).value = '';
}

/** Shows an error if the server has rejected a token. */
export function askForToken() {
  const field = /** @type {HTMLInputElement} */ (byId('token-value'));
  const wasTried = hasToken();
  setToken('');
  field.value = '';
  if (wasTried) setError(field, 'The server does not accept this token.');
  else field.focus();
}
