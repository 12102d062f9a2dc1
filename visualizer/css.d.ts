// Style sheets that a module brings along; the bundler links them.
// Invariant: names no types of anything else.
declare module '*.css';
