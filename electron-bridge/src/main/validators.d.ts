// The build makes these of the descriptors' schemas, see validators.mjs.
import type {
  ChoiceDialog,
  CrashPage,
  Notice,
  PanelDescriptor,
  PermissionDialog,
  WindowDescriptor,
} from '../generated/protocol';

export function isWindow(value: unknown): value is WindowDescriptor;
export function isChoice(value: unknown): value is ChoiceDialog;
export function isNotice(value: unknown): value is Notice;
export function isPermissionDialog(value: unknown): value is PermissionDialog;
export function isPanel(value: unknown): value is PanelDescriptor;
export function isCrashPage(value: unknown): value is CrashPage;
