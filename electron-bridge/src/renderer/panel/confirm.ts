import type { PanelAction } from '../../generated/protocol';
import { byId, setText } from './element';

const box = byId('confirm') as HTMLDialogElement;
const doIt = byId('confirm-do') as HTMLButtonElement;
const cancel = byId('confirm-cancel') as HTMLButtonElement;

/**
 * Asks before an action that has a question; resolves with whether to do it. The focus goes back to
 * where it was; `refocus` is called where that was drawn anew meanwhile.
 */
export function confirmed(
  action: PanelAction,
  subject: string,
  refocus: () => void,
): Promise<boolean> {
  if (action.confirm === undefined) return Promise.resolve(true);
  setText('confirm-question', action.confirm);
  setText('confirm-subject', subject);
  doIt.textContent = action.confirmLabel ?? action.label;
  doIt.className = action.style ?? 'plain';
  const before = document.activeElement;
  box.returnValue = '';
  box.showModal();
  cancel.focus();
  return new Promise((resolve) => {
    box.addEventListener(
      'close',
      () => {
        if (before instanceof HTMLElement && before.isConnected) before.focus();
        else refocus();
        resolve(box.returnValue === 'do');
      },
      { once: true },
    );
  });
}

doIt.addEventListener('click', () => box.close('do'));
cancel.addEventListener('click', () => box.close(''));
