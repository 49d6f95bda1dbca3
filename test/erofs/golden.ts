/** The table of spec/erofs.md 10: lines after the root's and the fs-verity SHA-256 of the images they give. */

export const GOLDEN_ROOT = "/ 0 40755 2 0 0 0 1000.0 - - -";

/** H is a digest, D its path. */
const H = "0123456789abcdef".repeat(4);
const D = `${H.slice(0, 2)}/${H.slice(2)}`;

export interface GoldenValue {
  readonly what: string;
  readonly lines: readonly string[];
  readonly cDefault: string;
  /** C-1 and RS V1. */
  readonly v1: string;
  readonly v2: string;
}

export const GOLDEN: readonly GoldenValue[] = [
  {
    what: "root only",
    lines: [],
    cDefault: "d448467e6f0775f9569350af22ca468707e936750d9d3e3d80b30be024cb9361",
    v1: "058633c3afc17318b7f55df14ba05009e0e9f10045f58bf1eb0244107ff6a19f",
    v2: "5ae5d80d5cdf5c4be2173a13fdf3738dfafddd4bf198664ff95847b616b1bcbb",
  },
  {
    what: "empty file",
    lines: ["/a 0 100644 1 0 0 0 1000.0 - - -"],
    cDefault: "f6d6c74639f5af91cc40160b2641603e63266b8522b5c0482b6d2b1eebe1621a",
    v1: "5712b6a5f945b88b26ae93b440065264c0e1806a141a5acb2def4638abf9d74a",
    v2: "be4ce0dd7f3a1527fcaaae77a064ed7e5e676c791eb922e53ca8b3e42feb2d67",
  },
  {
    what: "inline",
    lines: ["/a 5 100644 1 0 0 0 1000.0 - hello -"],
    cDefault: "c886928e7bd1966bf83d3852360a1e50fcbd8d9ecd12884f81e3b6e49d85c064",
    v1: "d3e695c5bad2023c87f822919bc28e14991f7551aec460bc224e47c9ad4acd0e",
    v2: "214141e490e4449aee345bb9d6527ea5fd2deba967be469ec51695146872a688",
  },
  {
    what: "later mtime",
    lines: ["/a 5 100644 1 0 0 0 1000.1 - hello -"],
    cDefault: "0abdafe8196ee16a5127d2740e8dcaf6bed5c9ab34adf62f69f96e79296bf30e",
    v1: "804f9e3274f6ada06a9a33da8bf8321cae204181cf1657449e1536e4b3042cbc",
    v2: "214141e490e4449aee345bb9d6527ea5fd2deba967be469ec51695146872a688",
  },
  {
    what: "external",
    lines: [`/a 5000 100644 1 0 0 0 1000.0 ${D} - ${H}`],
    cDefault: "0c710ccca07a428fd02c213759071395415d862a008b9c82ee49019220a80d8f",
    v1: "f55c193a31dfa68df52da7ef5b2455f79e1243aa0b0eb3a1d66fc53fc01a96e8",
    v2: "1c4275f9829a23c0eaac45a9b65c2826d776f8a61e82f6f0492bd69cae3da090",
  },
  {
    what: "external, no digest",
    lines: [`/a 5000 100644 1 0 0 0 1000.0 ${D} - -`],
    cDefault: "c7b801b84d496370d3f879bd0b62328d83fbd2a1ed85cd490b56368d06943bf6",
    v1: "b44aa6e8ccd1dc7104c5da1de31af014f54d2a73739391d5fc7198eff31ad6dc",
    v2: "c63cfc136c1ee07a869aea64442ad8e2622df22b06552c7b10d08853b902b5fc",
  },
  {
    what: "size only",
    lines: ["/a 5000 100644 1 0 0 0 1000.0 - - -"],
    cDefault: "4d32d8b9af254d30b7b352d457b933f73bf1026e3055715b38ec9174f68a8f4b",
    v1: "9c42be5e064589552fe74d8d26c23ef81e97df00466d7b99a6fced88ef4fff41",
    v2: "f4053c3e3635ea713b42ebf4075f716f5c3bbdf18388bce419d237bd68a9227a",
  },
  {
    what: "symlink",
    lines: ["/a 3 120777 1 0 0 0 1000.0 foo - -"],
    cDefault: "edc6ed5c6f2c6955526b93eeba1d43512ef0c7521560537f2f2e4f06b85d80f8",
    v1: "27fb61d3661c760e7b725559c314f22a23feaf56ae4cf3cd55477cb2e9b42b45",
    v2: "17178b802500d4cd3eb94496022d8e6d9fe5ec34cba5d4a222accc38ae111358",
  },
  {
    what: "char device",
    lines: ["/a 0 20644 1 0 0 259 1000.0 - - -"],
    cDefault: "d01ad357d1d0ee203c046b1ecfe9707d95744a93a8a93bf3da9116b530bd93b0",
    v1: "ff62f7a2b76787402e329858869d52d616d08112a25c37ee5e9206a9a6bf476e",
    v2: "4b717a3303a3b92518894c7cdd7b1e17dc881645a1213354f7d5a13266c34f0a",
  },
  {
    what: "fifo + socket",
    lines: ["/a 0 10644 1 0 0 0 1000.0 - - -", "/b 0 140644 1 0 0 0 1000.0 - - -"],
    cDefault: "fa59f6c05956f0111be45342eec3680c33f925ac76ad5ed20c5de2b7aaafac96",
    v1: "9db538fb70bb343d2ab75021d218148ffadf70237ca1b661f0e181b57859a701",
    v2: "88a007962d092f066f822b382e66edd65e7e8981642c166cab2435f68ab6751f",
  },
  {
    what: "sub-directory",
    lines: ["/d 0 40755 2 0 0 0 1000.0 - - -"],
    cDefault: "7e10f1b292eca1eb6e06d0d7d7735b4dd10007ce43ee372ae0ffe6afd3c204bb",
    v1: "238cb7a65277d2cd71b1de9dcb074e3a971b941d27ee991fe1c453d398fe6941",
    v2: "3d8c43e8049765e8cef6a5c2e71de7811c5601c2cd68a1aedc1600c7d3157763",
  },
  {
    what: "whiteout",
    lines: ["/w 0 20644 1 0 0 0 1000.0 - - -"],
    cDefault: "bf408765472ff2690acbb2e4138d95be54b9625b616c1ad45e2765543d832303",
    v1: "bf408765472ff2690acbb2e4138d95be54b9625b616c1ad45e2765543d832303",
    v2: "2f84c79c7e169a95aea6d0f645f5fc670cc11d5a70b4fff6267efe58977086cc",
  },
  {
    what: "xattr",
    lines: ["/a 0 100644 1 0 0 0 1000.0 - - - user.a=1"],
    cDefault: "fa24dfd243d9825780d0bf0c65259de66c6488e3918795b37eb1c1d2e8ed0120",
    v1: "6e493e93ac5aae53629a87056ec572b6af19c198859da769ffcb9d5c24691ac2",
    v2: "e82b64d470972fba8865a657fbbdf252cf4ec2d593355379eabe2d3de678c3aa",
  },
  {
    what: "shared xattr",
    lines: ["/a 0 100644 1 0 0 0 1000.0 - - - user.a=1", "/b 0 100644 1 0 0 0 1000.0 - - - user.a=1"],
    cDefault: "3b8929cc36a936c460ec34102d78b6ac2ebddf9a1efd1c141b687538429c75d9",
    v1: "bef320c653e2d055d77248349eef659813c3c97ebc30ac5e8cd8d78a2566f7b0",
    v2: "e35372283873ff3b9f136df039b7fcc70752c0cad067cb7a5a207e1dfd86b677",
  },
  {
    what: "ACL",
    lines: ["/a 0 100644 1 0 0 0 1000.0 - - - system.posix_acl_access=\\x02\\x00\\x00\\x00"],
    cDefault: "8571e47dc9642d67fb117e1952bc3a8c6f059e86586520424eb0121c0c4f39af",
    v1: "5328f9f2eaba1048822f37972d9841aa71882bd3b285b013e8d122ae8efab728",
    v2: "f2319ca68fdcfbbf65d05e2a5afe9d9a9c7352066151285693143d37b724a95e",
  },
  {
    what: "hard link",
    lines: ["/a 0 100644 2 0 0 0 1000.0 - - -", "/b 0 @100644 - - - - 0.0 /a - -"],
    cDefault: "16a63f4d51017885ada644208cfcbeb2ca7100a6d578df431108134cd467f202",
    v1: "8ed8e5454cd6bad7a29ed82768683f4d2c6a8ca419d78ce4a565e3995cd528de",
    v2: "d562020b200732b47de89fe67bd8ec5f67abb8d2973a01e7cfa6b664687c52e9",
  },
];
