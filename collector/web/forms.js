/** Forms in a dialog: who decides, why, until when. The name is remembered in this browser. */

import { ApiFailure } from './api.js';
import { element } from './dom.js';

/** @typedef {import('./format.js').Say} Say */
/**
 * @typedef {object} Field
 * @property {string} name
 * @property {'text' | 'choice' | 'time'} kind
 * @property {string} label
 * @property {string} [value]
 * @property {string} [note] said beneath it
 * @property {boolean} [required]
 * @property {number} [maxLength]
 * @property {[value: string, label: string][]} [options] of a choice
 * @property {[name: string, value: string]} [onlyWith] shown only while that other field has that value
 */
/** @typedef {Record<string, string>} Answers by name of the field; '' where it is empty or not shown */

const NAME_STORED_AS = 'fms.name';
export const NAME_MAX = 128;
export const NOTE_MAX = 500;
/** Choices as short as that stand side by side. */
const INLINE_CHARACTERS_MAX = 16;

/** Who uses this browser, as they said the last time; ''. */
export function rememberedName() {
  try {
    return localStorage.getItem(NAME_STORED_AS) ?? '';
  } catch {
    return '';
  }
}

/** @param {string} name */
export function rememberName(name) {
  try {
    localStorage.setItem(NAME_STORED_AS, name);
  } catch {
    // Storage is forbidden here: they say it again the next time.
  }
}

/**
 * Who decides.
 * @param {Say} say
 * @returns {Field}
 */
export function nameField(say) {
  const note = say('your_name_note');
  const value = rememberedName();
  return {
    name: 'by',
    kind: 'text',
    label: say('your_name'),
    value,
    note,
    required: true,
    maxLength: NAME_MAX,
  };
}

/**
 * What went wrong with a change, and what to do, in words.
 * @param {unknown} error
 * @param {Say} say
 */
export function failureText(error, say) {
  if (!(error instanceof ApiFailure)) return error instanceof Error ? error.message : String(error);
  const { code, message, hint } = error;
  if (error.status === 0) return say('failed_unreachable', { message });
  const known = { API_NOT_LOCAL: 'failed_not_local', API_NOT_FOUND: 'failed_not_found' }[code];
  const text = [message, hint].filter((part) => part !== '').join(' – ');
  return known === undefined ? say('failed', { code, text }) : `${say(known)} (${code}: ${text})`;
}

/**
 * Asks in a dialog. It closes when `send` resolves; when it rejects, the dialog says why and stays.
 * @param {Say} say
 * @param {object} form
 * @param {string} form.title
 * @param {(Node | string)[]} [form.intro]
 * @param {Field[]} form.fields
 * @param {string} form.submit
 * @param {(answers: Answers) => Promise<void>} form.send
 */
export function askPerson(say, { title, intro = [], fields, submit, send }) {
  const problem = element('p', { class: 'problem', role: 'alert' });
  const go = element('button', { type: 'submit', class: 'act primary' }, submit);
  const leave = element('button', { type: 'button', class: 'act' }, say('cancel'));
  const parts = fields.map((field) => partOf(field));
  const form = element(
    'form',
    {},
    element('h2', { id: 'dialog-title' }, title),
    element('p', { class: 'intro' }, ...intro),
    ...parts,
    problem,
    element('div', { class: 'actions' }, go, leave),
  );
  const dialog = element('dialog', { 'aria-labelledby': 'dialog-title' }, form);
  const showParts = () => {
    const answers = answersOf(form, fields);
    for (const [i, { onlyWith }] of fields.entries()) {
      const [part] = parts.slice(i);
      if (onlyWith === undefined || part === undefined) continue;
      part.hidden = answers[onlyWith[0]] !== onlyWith[1];
      // What is hidden is not asked.
      /** @type {HTMLFieldSetElement} */ (part).disabled = part.hidden;
    }
  };
  form.addEventListener('change', showParts);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    problem.textContent = '';
    go.disabled = true;
    go.textContent = say('sending');
    try {
      const answers = answersOf(form, fields);
      if (answers.by) rememberName(answers.by);
      await send(answers);
      dialog.close();
    } catch (error) {
      problem.textContent = `▲ ${failureText(error, say)}`;
    } finally {
      go.disabled = false;
      go.textContent = submit;
    }
  });
  leave.addEventListener('click', () => dialog.close());
  // The button that was used may be gone when it is done: then what it stood in, or else the page.
  const button = document.activeElement;
  const around = [button?.closest('li[tabindex]'), document.getElementById('main')];
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (button?.isConnected) return;
    const next = around.find((node) => node?.isConnected);
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  });
  document.body.append(dialog);
  showParts();
  dialog.showModal();
  const empty = [...form.querySelectorAll('input[type=text]')].find(
    (input) => /** @type {HTMLInputElement} */ (input).value === '',
  );
  if (empty) /** @type {HTMLInputElement} */ (empty).focus();
}

/** @param {Field} field */
function partOf(field) {
  const { name, kind, label, value = '', note, required, maxLength, options = [] } = field;
  const isInline =
    kind === 'choice' && options.every(([, text]) => text.length <= INLINE_CHARACTERS_MAX);
  const part = element('fieldset', {
    class: `field ${kind}${isInline ? ' inline' : ''}`,
    'data-field': name,
  });
  const said =
    note === undefined
      ? []
      : [element('small', { class: 'field-note', id: `field-${name}-note` }, note)];
  if (kind === 'choice') {
    const choices = options.map(([option, text]) => {
      const input = element('input', { type: 'radio', name, value: option });
      input.checked = option === value;
      return element('label', {}, input, ' ', text);
    });
    part.append(element('legend', {}, label), ...choices, ...said);
    return part;
  }
  const type = kind === 'time' ? 'datetime-local' : 'text';
  const input = element('input', { type, name, id: `field-${name}`, autocomplete: 'off' });
  input.value = value;
  if (required) input.required = true;
  // Spaces alone say nothing.
  if (required && kind === 'text') input.pattern = '.*\\S.*';
  if (maxLength !== undefined) input.maxLength = maxLength;
  if (note !== undefined) input.setAttribute('aria-describedby', `field-${name}-note`);
  part.append(element('label', { for: `field-${name}` }, label), input, ...said);
  return part;
}

/**
 * @param {HTMLFormElement} form
 * @param {Field[]} fields
 * @returns {Answers}
 */
function answersOf(form, fields) {
  const data = new FormData(form);
  return Object.fromEntries(fields.map(({ name }) => [name, String(data.get(name) ?? '').trim()]));
}
