// Elements made by hand: what they say is set as text, never as markup.

export type Child = Node | string | undefined | null | false;
type Listener = (event: Event) => void;
export type Attributes = Record<string, string | number | boolean | undefined | Listener>;

/** An element; `onclick` and the like are listeners, `class` its classes, the others attributes. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  add(element, ...children);
  return element;
}

export function add(parent: Element, ...children: Child[]): void {
  for (const child of children) {
    if (child !== undefined && child !== null && child !== false) parent.append(child);
  }
}

/** `replaceChildren`, which Chrome 83 does not have. */
export function fill(parent: Element, ...children: Child[]): void {
  parent.textContent = '';
  add(parent, ...children);
}

/** Sets a text only where it is another, so that nothing flickers, and no selection is lost. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string | undefined): void {
  if (value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const known = new WeakMap<Element, Map<string, HTMLElement>>();

/** Keeps an element for each item: those that stay are updated where they are. */
export function keyed<Item>(
  parent: Element,
  items: readonly Item[],
  key: (item: Item) => string,
  make: (item: Item) => HTMLElement,
  update: (element: HTMLElement, item: Item) => void,
): void {
  const before = known.get(parent) ?? new Map<string, HTMLElement>();
  const now = new Map<string, HTMLElement>();
  let place: ChildNode | null = parent.firstChild;
  for (const item of items) {
    const id = key(item);
    if (now.has(id)) continue;
    const element = before.get(id) ?? make(item);
    update(element, item);
    now.set(id, element);
    if (element === place) place = place.nextSibling;
    else parent.insertBefore(element, place);
  }
  for (const [id, element] of before) if (now.get(id) !== element) element.remove();
  known.set(parent, now);
}

/** Keeps an element for each item, at places that the style sheet turns into transforms. */
export function placed<Item>(
  parent: HTMLElement,
  items: readonly Item[],
  key: (item: Item) => string,
  make: (item: Item) => HTMLElement,
  update: (element: HTMLElement, item: Item) => void,
): void {
  const places = new Map(items.map((item, at) => [key(item), at]));
  parent.style.setProperty('--count', String(places.size));
  keyed(parent, items, key, make, (element, item) => {
    element.style.setProperty('--at', String(places.get(key(item)) ?? 0));
    update(element, item);
  });
}

const TEXT_FIELDS = ['text', 'search', 'url', 'email', 'tel', 'password', 'number'];

/** Whether a letter that is typed now goes into a text. */
export function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return TEXT_FIELDS.includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
