/** Small tools for the document. Text goes in as text only, never as markup. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/**
 * A name that came from outside: its writing direction must not change what is around it.
 * @param {string} text
 */
export function name(text) {
  return element('bdi', {}, text);
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`no element #${id}`);
  return node;
}

/**
 * Changes text only when it differs, so that nothing is laid out or read aloud again.
 * @param {HTMLElement} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shapes that go with the colours, so that nobody needs to see colours. */
export const SHAPES = { calm: '', note: '○', warn: '▲', bad: '◆' };

/**
 * A state in words, with shape and colour when it needs a person.
 * @param {keyof typeof SHAPES} level
 * @param {string} text
 */
export function mark(level, text) {
  const node = element('span', { class: `mark ${level}` });
  if (SHAPES[level] !== '')
    node.append(element('span', { class: 'shape', 'aria-hidden': 'true' }, SHAPES[level]), ' ');
  node.append(text);
  return node;
}
