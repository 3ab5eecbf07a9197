import { h } from '../dom';
import { icon, type IconName } from '../icons';

/** `style` is one of the style sheet's classes for buttons, empty for a common one. */
export function button(
  label: string,
  act: () => void,
  { style = '', sign }: { style?: string; sign?: IconName } = {},
): HTMLButtonElement {
  const element = h('button', { type: 'button', class: style }, sign && icon(sign), label);
  element.addEventListener('click', act);
  return element;
}
