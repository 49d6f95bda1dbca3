/**
 * The table of all verbs. Help and completion of the upper levels need only this file; a verb's own file is loaded when
 * it is called. Longer paths win, so `seal attach` and `seal IMAGE` live side by side.
 */
import type { CommandEntry } from "../verbs/index.ts";

/** What a group of verbs is about, for the help of `sealroot` and `sealroot GROUP`. */
export const GROUPS: Readonly<Record<string, string>> = {
  addon: "Make add-ons of UKIs, and put them onto disk files",
  completion: "Print the tab completion of a shell",
  container: "Work in a container build: look at, check and seal a root file system",
  image: "Work with OCI images in a composefs repository",
  internals: "What units and scripts call",
  install: "Put an image on a disk",
  "install edit": "Change /etc and /var of an installed disk file",
  "loader-entries": "Change boot entries of a host without seal",
  keys: "Make and inspect Secure Boot keys",
  repo: "Work with composefs repositories",
  "uki-addon": "Kernel arguments as add-ons of UKIs on this system",
  vm: "Boot disks in a virtual machine",
};

export const COMMANDS: readonly CommandEntry[] = [
  {
    path: ["diff"],
    summary: "Explain why two digests differ",
    load: async () => (await import("../verbs/diff.ts")).diffVerb,
  },
  {
    path: ["init"],
    summary: "Begin a project of a sealed system",
    load: async () => (await import("../verbs/init.ts")).initVerb,
  },
  {
    path: ["inspect"],
    summary: "Show what an image, a disk or an EFI program is",
    load: async () => (await import("../verbs/inspect.ts")).inspectVerb,
  },
  {
    path: ["verify"],
    summary: "Say why a system is to be trusted, and the first link that does not hold",
    load: async () => (await import("../verbs/verify.ts")).verifyVerb,
  },
  {
    path: ["config-diff"],
    summary: "Show what was changed in /etc",
    load: async () => (await import("../verbs/host/config-diff.ts")).configDiff,
  },
  {
    path: ["loader-entries", "set-options-for-source"],
    summary: "Set the kernel arguments of one source on a host without seal",
    load: async () =>
      (await import("../verbs/host/loader-entries-set-options-for-source.ts")).loaderEntriesSetOptionsForSource,
  },
  {
    path: ["uki-addon", "list"],
    summary: "Show the add-ons on the ESP",
    load: async () => (await import("../verbs/host/uki-addon-list.ts")).ukiAddonList,
  },
  {
    path: ["uki-addon", "list-referenced"],
    summary: "Show the add-ons that the images of the deployments hold",
    load: async () => (await import("../verbs/host/uki-addon-list-referenced.ts")).ukiAddonListReferenced,
  },
  {
    path: ["uki-addon", "add"],
    summary: "Install an add-on of the image that runs",
    load: async () => (await import("../verbs/host/uki-addon-add.ts")).ukiAddonAdd,
  },
  {
    path: ["uki-addon", "remove"],
    summary: "Remove an add-on from the ESP",
    load: async () => (await import("../verbs/host/uki-addon-remove.ts")).ukiAddonRemove,
  },
  {
    path: ["status"],
    summary: "Show the deployments of this system",
    load: async () => (await import("../verbs/host/status.ts")).status,
  },
  {
    path: ["fsck"],
    summary: "Check the whole host, and repair it",
    load: async () => (await import("../verbs/host/fsck.ts")).fsck,
  },
  {
    path: ["rollback"],
    summary: "Take the previous deployment at the next boot",
    load: async () => (await import("../verbs/host/rollback.ts")).rollback,
  },
  {
    path: ["pin"],
    summary: "Keep a deployment whatever comes",
    load: async () => (await import("../verbs/host/pin.ts")).pin,
  },
  {
    path: ["unpin"],
    summary: "Let go of a pinned deployment",
    load: async () => (await import("../verbs/host/pin.ts")).unpin,
  },
  {
    path: ["upgrade"],
    summary: "Fetch the image that this system follows, for the next boot",
    load: async () => (await import("../verbs/host/upgrade.ts")).upgrade,
  },
  {
    path: ["update"],
    summary: "Fetch the image that this system follows, for the next boot",
    hidden: true,
    aliasOf: ["upgrade"],
    load: async () => (await import("../verbs/host/upgrade.ts")).upgrade,
  },
  {
    path: ["switch"],
    summary: "Follow another image",
    load: async () => (await import("../verbs/host/switch.ts")).switchCommand,
  },
  {
    path: ["usr-overlay"],
    summary: "Make /usr writable until the next boot",
    load: async () => (await import("../verbs/host/usr-overlay.ts")).usrOverlay,
  },
  {
    path: ["usroverlay"],
    summary: "Make /usr writable until the next boot",
    hidden: true,
    aliasOf: ["usr-overlay"],
    load: async () => (await import("../verbs/host/usr-overlay.ts")).usrOverlay,
  },
  {
    path: ["internals", "prep-soft-reboot"],
    summary: "Prepare a soft reboot",
    hidden: true,
    load: async () => (await import("../verbs/internals/prep-soft-reboot.ts")).internalsPrepSoftReboot,
  },
  {
    path: ["internals", "varlink"],
    summary: "Answer a varlink connection",
    hidden: true,
    load: async () => (await import("../verbs/internals/varlink.ts")).internalsVarlink,
  },
  {
    path: ["composefs-finalize-staged"],
    summary: "Switch to the staged deployment, at shutdown",
    hidden: true,
    load: async () => (await import("../verbs/host/composefs-finalize-staged.ts")).composefsFinalizeStaged,
  },
  {
    path: ["internals", "record-boot"],
    summary: "Record that this system came up",
    hidden: true,
    load: async () => (await import("../verbs/internals/record-boot.ts")).internalsRecordBoot,
  },
  {
    path: ["internals", "health-check"],
    summary: "Run the health checks",
    hidden: true,
    load: async () => (await import("../verbs/internals/health-check.ts")).internalsHealthCheck,
  },
  {
    path: ["internals", "boot-failed"],
    summary: "Record what failed in this boot",
    hidden: true,
    load: async () => (await import("../verbs/internals/boot-failed.ts")).internalsBootFailed,
  },
  {
    path: ["delete-deployment"],
    summary: "Delete a deployment",
    load: async () => (await import("../verbs/host/delete-deployment.ts")).deleteDeploymentCommand,
  },
  {
    path: ["gc"],
    summary: "Make room: remove what no deployment needs",
    load: async () => (await import("../verbs/host/gc.ts")).gc,
  },
  {
    path: ["internals", "composefs-gc"],
    summary: "Remove what no deployment needs, in bootc's words",
    hidden: true,
    load: async () => (await import("../verbs/internals/composefs-gc.ts")).internalsComposefsGc,
  },
  {
    path: ["internals", "run-updates"],
    summary: "Update this host when it is time, as its service does",
    hidden: true,
    load: async () => (await import("../verbs/internals/run-updates.ts")).internalsRunUpdates,
  },
  {
    path: ["install", "to-disk"],
    summary: "Make a bootable disk from a sealed image",
    load: async () => (await import("../verbs/install/to-disk.ts")).installToDiskCommand,
  },
  {
    path: ["install", "edit", "list"],
    summary: "List files of /etc and /var of a disk",
    load: async () => (await import("../verbs/install/edit-list.ts")).installEditList,
  },
  {
    path: ["install", "edit", "get"],
    summary: "Write the bytes of a file of /etc or /var of a disk",
    load: async () => (await import("../verbs/install/edit-get.ts")).installEditGet,
  },
  {
    path: ["install", "edit", "put"],
    summary: "Put files into /etc or /var of a disk",
    load: async () => (await import("../verbs/install/edit-put.ts")).installEditPut,
  },
  {
    path: ["install", "edit", "mkdir"],
    summary: "Make a directory in /etc or /var of a disk",
    load: async () => (await import("../verbs/install/edit-mkdir.ts")).installEditMkdir,
  },
  {
    path: ["install", "edit", "remove"],
    summary: "Remove files from /etc or /var of a disk",
    load: async () => (await import("../verbs/install/edit-remove.ts")).installEditRemove,
  },
  {
    path: ["install", "mount"],
    summary: "Mount a deployment of an installed disk",
    load: async () => (await import("../verbs/install/mount.ts")).installMount,
  },
  {
    path: ["install", "print-configuration"],
    summary: "Print the merged installation configuration",
    load: async () => (await import("../verbs/install/print-configuration.ts")).installPrintConfiguration,
  },
  {
    path: ["seal"],
    summary: "Seal an image: signed UKI over the digest of its root",
    load: async () => (await import("../verbs/seal/seal.ts")).seal,
  },
  {
    path: ["seal", "attach"],
    summary: "Put a UKI that was signed elsewhere into its image",
    load: async () => (await import("../verbs/seal/attach.ts")).sealAttach,
  },
  {
    path: ["addon", "build"],
    summary: "Make an add-on: kernel arguments and more beside what is sealed",
    load: async () => (await import("../verbs/addon/build.ts")).addonBuild,
  },
  {
    path: ["addon", "list"],
    summary: "Show the add-ons of a disk file, an image or a folder",
    load: async () => (await import("../verbs/addon/list.ts")).addonList,
  },
  {
    path: ["addon", "add"],
    summary: "Put add-ons onto a disk file",
    load: async () => (await import("../verbs/addon/add.ts")).addonAdd,
  },
  {
    path: ["addon", "remove"],
    summary: "Take an add-on from a disk file",
    load: async () => (await import("../verbs/addon/remove.ts")).addonRemove,
  },
  {
    path: ["keys", "generate"],
    summary: "Make Secure Boot keys",
    load: async () => (await import("../verbs/keys/generate.ts")).keysGenerate,
  },
  {
    path: ["keys", "list"],
    summary: "Show Secure Boot keys and check that they fit together",
    load: async () => (await import("../verbs/keys/list.ts")).keysList,
  },
  {
    path: ["keys", "add"],
    summary: "Let machines start what other certificates sign",
    load: async () => (await import("../verbs/keys/add.ts")).keysAdd,
  },
  {
    path: ["keys", "remove"],
    summary: "Take a certificate out of db",
    load: async () => (await import("../verbs/keys/remove.ts")).keysRemove,
  },
  {
    path: ["keys", "rotate"],
    summary: "Make a new image signing key beside the old",
    load: async () => (await import("../verbs/keys/rotate.ts")).keysRotate,
  },
  {
    path: ["keys", "revoke"],
    summary: "Put programs and certificates on the list of what firmware refuses",
    load: async () => (await import("../verbs/keys/revoke.ts")).keysRevoke,
  },
  {
    path: ["vm", "run"],
    summary: "Boot a disk image in a virtual machine",
    load: async () => (await import("../verbs/vm/run.ts")).vmRun,
  },
  {
    path: ["image", "pull"],
    summary: "Pull an OCI image into a repository",
    load: async () => (await import("../verbs/image/pull.ts")).imagePull,
  },
  {
    path: ["image", "push"],
    summary: "Write an image of a repository somewhere else",
    load: async () => (await import("../verbs/image/push.ts")).imagePush,
  },
  {
    path: ["image", "copy"],
    summary: "Copy an image from one place to another",
    load: async () => (await import("../verbs/image/copy.ts")).imageCopy,
  },
  {
    path: ["image", "copy-to-storage"],
    summary: "Copy an image to podman's store",
    load: async () => (await import("../verbs/image/copy-to-storage.ts")).imageCopyToStorage,
  },
  {
    path: ["image", "add-initramfs"],
    summary: "Let an image boot without being sealed",
    load: async () => (await import("../verbs/image/add-initramfs.ts")).imageAddInitramfs,
  },
  {
    path: ["image", "list"],
    summary: "List the OCI images of a repository",
    load: async () => (await import("../verbs/image/list.ts")).imageList,
  },
  {
    path: ["image", "inspect"],
    summary: "Show an image's manifest, configuration and ids",
    load: async () => (await import("../verbs/image/inspect.ts")).imageInspect,
  },
  {
    path: ["image", "history"],
    summary: "Show how an image was made",
    load: async () => (await import("../verbs/image/history.ts")).imageHistoryCommand,
  },
  {
    path: ["image", "compute-id"],
    summary: "Compute the id of an image's root file system",
    load: async () => (await import("../verbs/image/compute-id.ts")).imageComputeId,
  },
  {
    path: ["image", "tag"],
    summary: "Give an image another name",
    load: async () => (await import("../verbs/image/tag.ts")).imageTag,
  },
  {
    path: ["image", "untag"],
    summary: "Remove a name of an image",
    load: async () => (await import("../verbs/image/tag.ts")).imageUntag,
  },
  {
    path: ["image", "remove"],
    summary: "Remove an image from a repository",
    load: async () => (await import("../verbs/image/remove.ts")).imageRemove,
  },
  {
    path: ["repo", "init"],
    summary: "Make a composefs repository",
    load: async () => (await import("../verbs/repo/init.ts")).repoInit,
  },
  {
    path: ["repo", "cat"],
    summary: "Write the bytes of a stream",
    load: async () => (await import("../verbs/repo/cat.ts")).repoCat,
  },
  {
    path: ["repo", "cat-file"],
    summary: "Write the bytes of a file of an image",
    load: async () => (await import("../verbs/repo/cat-file.ts")).repoCatFile,
  },
  {
    path: ["repo", "create-image"],
    summary: "Make an image from a directory",
    load: async () => (await import("../verbs/repo/create-image.ts")).repoCreateImage,
  },
  {
    path: ["repo", "compute-id"],
    summary: "Compute the image id of a directory",
    load: async () => (await import("../verbs/repo/compute-id.ts")).repoComputeId,
  },
  {
    path: ["repo", "compute-karg"],
    summary: "Compute the kernel argument that boots a directory",
    load: async () => (await import("../verbs/repo/compute-karg.ts")).repoComputeKarg,
  },
  {
    path: ["repo", "create-dumpfile"],
    summary: "Print a directory's tree as dump text",
    load: async () => (await import("../verbs/repo/create-dumpfile.ts")).repoCreateDumpfile,
  },
  {
    path: ["repo", "dump-files"],
    summary: "Print files of an image as dump text",
    load: async () => (await import("../verbs/repo/dump-files.ts")).repoDumpFiles,
  },
  {
    path: ["repo", "extract"],
    summary: "Unpack an image into a directory",
    load: async () => (await import("../verbs/repo/extract.ts")).repoExtract,
  },
  {
    path: ["repo", "fsck"],
    summary: "Check a repository",
    load: async () => (await import("../verbs/repo/fsck.ts")).repoFsck,
  },
  {
    path: ["repo", "gc"],
    summary: "Delete what no reference needs",
    load: async () => (await import("../verbs/repo/gc.ts")).repoGc,
  },
  {
    path: ["repo", "image-objects"],
    summary: "List the objects of an image",
    load: async () => (await import("../verbs/repo/image-objects.ts")).repoImageObjects,
  },
  {
    path: ["repo", "import-image"],
    summary: "Import an EROFS image into a repository",
    load: async () => (await import("../verbs/repo/import-image.ts")).repoImportImage,
  },
  {
    path: ["repo", "linked-erofs-images"],
    summary: "List the EROFS images of the same OCI image",
    load: async () => (await import("../verbs/repo/linked-erofs-images.ts")).repoLinkedErofsImages,
  },
  {
    path: ["repo", "mkcomposefs"],
    summary: "Make an EROFS image from a directory or dump text",
    load: async () => (await import("../verbs/repo/mkcomposefs.ts")).repoMkcomposefs,
  },
  {
    path: ["repo", "images"],
    summary: "List the named images",
    load: async () => (await import("../verbs/repo/images.ts")).repoImages,
  },
  {
    path: ["repo", "mount"],
    summary: "Mount an image",
    load: async () => (await import("../verbs/repo/mount.ts")).repoMount,
  },
  {
    path: ["repo", "transaction"],
    summary: "Keep gc away until stopped",
    load: async () => (await import("../verbs/repo/transaction.ts")).repoTransaction,
  },
  {
    path: ["container", "compute-composefs-digest"],
    summary: "Compute the composefs digest of a root file system",
    load: async () => (await import("../verbs/container/compute-composefs-digest.ts")).containerComputeComposefsDigest,
  },
  {
    path: ["container", "export"],
    summary: "Write a root file system as a tar",
    load: async () => (await import("../verbs/container/export.ts")).containerExport,
  },
  {
    path: ["container", "inspect"],
    summary: "Show the kernel and the kernel arguments of an image",
    load: async () => (await import("../verbs/container/inspect.ts")).containerInspect,
  },
  {
    path: ["container", "lint"],
    summary: "Check an image at the end of its build",
    load: async () => (await import("../verbs/container/lint.ts")).containerLint,
  },
  {
    path: ["container", "split-kernel-and-rootfs"],
    summary: "Take the kernel out of an image, for its UKI",
    load: async () => (await import("../verbs/container/split-kernel-and-rootfs.ts")).containerSplitKernelAndRootfs,
  },
  {
    path: ["container", "ukify"],
    summary: "Build the UKI of a root file system",
    load: async () => (await import("../verbs/container/ukify.ts")).containerUkify,
  },
  {
    path: ["completion"],
    summary: "Print the tab completion of a shell",
    load: async () => (await import("./completion.ts")).completion,
  },
  {
    path: ["__complete"],
    summary: "List possible next words",
    hidden: true,
    load: async () => (await import("./completion.ts")).completeCommand({ entries: COMMANDS, groups: GROUPS }),
  },
];
