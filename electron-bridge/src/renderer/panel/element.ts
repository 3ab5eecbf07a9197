// Elements made by hand: what they say is set as text, never as markup.

export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className = '',
  text = '',
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  return element;
}

/** `replaceChildren`, which Chrome 83 does not have. */
export function fill(parent: Element, ...children: Element[]): void {
  parent.textContent = '';
  parent.append(...children);
}

export function byId(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`There is no #${id} in the page.`);
  return found;
}

export function setText(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  element.hidden = text === '';
}

const TEXT_FIELDS = ['text', 'search', 'url', 'email', 'tel', 'password', 'number'];

/** Whether a letter that is typed now goes into a text. */
export function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return TEXT_FIELDS.includes(target.type);
  return target instanceof HTMLTextAreaElement;
}
