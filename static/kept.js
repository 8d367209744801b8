// What a browser keeps for its person: small choices, under names that begin with "tapeline-".
export const stored = (name) => {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
};

export const store = (name, value) => {
  try {
    localStorage.setItem(name, value);
  } catch {} // it holds until the page is left
};
