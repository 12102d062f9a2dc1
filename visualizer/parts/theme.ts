// Light, dark, or as the system has it.
// Invariant: without a choice the page follows the system.

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'holdfast.theme';

export function presentTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  const theme = kept === 'light' || kept === 'dark' ? kept : 'system';
  setTheme(theme);
  return theme;
}

export function setTheme(theme: Theme): void {
  if (theme === 'system') {
    delete document.documentElement.dataset['theme'];
    localStorage.removeItem(KEY);
  } else {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem(KEY, theme);
  }
}

export function nextTheme(theme: Theme): Theme {
  if (theme === 'system') return 'light';
  return theme === 'light' ? 'dark' : 'system';
}
