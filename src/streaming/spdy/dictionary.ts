const words = `options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age
allow authorization cache-control connection content-base content-encoding content-language content-length content-location
content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer
retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status`;

const tail = [
  "10010120120220520630030230330430530630740240540640740840941041141241341441541641750250450520",
  "3 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden",
  "404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept ",
  "Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,",
  "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8",
  "charset=iso-8859-1,utf-,*,enq=0.",
].join("");

/**
 * What both sides of SPDY/3 start their header compression with (draft 3, "Name/Value Header Block"): words, each with its
 * length in four bytes before it, then a tail of fragments. Its Adler-32 is 0xe3c6a7c2.
 */
export function headerDictionary(): Buffer {
  const lengths = [...words.split(/\s+/), "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive"];
  return Buffer.concat([
    ...lengths.flatMap((word) => [lengthOf(word), Buffer.from(word)]),
    lengthOf("origin"),
    Buffer.from(`origin${tail}`),
  ]);
}

function lengthOf(word: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(word.length);
  return bytes;
}
