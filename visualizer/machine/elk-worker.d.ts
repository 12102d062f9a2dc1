// The address that the bundler gives a file which it copies as it is.
// Invariant: names no types of anything else.
declare module '*?url' {
  export const url: string;
  export default url;
}
