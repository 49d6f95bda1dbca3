/** The machine code programs for x86-64 (Intel manual, volume 2; Linux arch/x86/entry/syscalls/syscall_64.tbl). */

/**
 * `measure FILE`: FS_IOC_MEASURE_VERITY (linux/fsverity.h, 0xc0046686) on the file; prints struct fsverity_digest,
 * ends with the errno.
 */
export const MEASURE = `
  488b7c2410        mov rdi, [rsp+16]       ; argv[1]
  31f6              xor esi, esi            ; O_RDONLY
  b802000000        mov eax, 2              ; open
  0f05              syscall
  85c0              test eax, eax
  783e              js  failed
  89c7              mov edi, eax
  4881ec80000000    sub rsp, 128
  c7042400004000    mov dword [rsp], 64<<16 ; digest_size: room for 64 bytes
  be866604c0        mov esi, 0xc0046686     ; FS_IOC_MEASURE_VERITY
  4889e2            mov rdx, rsp
  b810000000        mov eax, 16             ; ioctl
  0f05              syscall
  85c0              test eax, eax
  781b              js  failed
  bf01000000        mov edi, 1
  4889e6            mov rsi, rsp
  0fb7542402        movzx edx, word [rsp+2]
  83c204            add edx, 4
  b801000000        mov eax, 1              ; write
  0f05              syscall
  31ff              xor edi, edi
  eb04              jmp end
  89c7      failed: mov edi, eax
  f7df              neg edi
  b83c000000   end: mov eax, 60             ; exit
  0f05              syscall
`;

/**
 * `insmod FILE…`: finit_module(2) for each file without parameters; prints one byte for each, the errno or 0, and
 * ends with 0.
 */
export const INSMOD = `
  58                pop rax                 ; argc
  4889e5            mov rbp, rsp            ; argv
  6a00              push 0                  ; no parameters: ""
  6a00              push 0                  ; the byte to print
  4883c508    next: add rbp, 8
  488b7d00          mov rdi, [rbp]
  4885ff            test rdi, rdi
  744c              jz  done
  be00000800        mov esi, 0x80000        ; O_RDONLY | O_CLOEXEC
  b802000000        mov eax, 2              ; open
  0f05              syscall
  85c0              test eax, eax
  7821              js  failed
  89c3              mov ebx, eax
  89c7              mov edi, eax
  488d742408        lea rsi, [rsp+8]
  31d2              xor edx, edx
  b839010000        mov eax, 313            ; finit_module
  0f05              syscall
  4189c4            mov r12d, eax
  89df              mov edi, ebx
  b803000000        mov eax, 3              ; close
  0f05              syscall
  4489e0            mov eax, r12d
  f7d8      failed: neg eax
  880424            mov [rsp], al
  bf01000000        mov edi, 1
  4889e6            mov rsi, rsp
  ba01000000        mov edx, 1
  b801000000        mov eax, 1              ; write
  0f05              syscall
  eba7              jmp next
  31ff        done: xor edi, edi
  b83c000000        mov eax, 60             ; exit
  0f05              syscall
`;

/**
 * `lookup DIRECTORY LIST`: opens DIRECTORY/aa/bb… for each id of 64 bytes in LIST as overlayfs does, beneath the
 * directory and through no link (openat2(2)); prints the ids of those that are missing or not plain files, and ends
 * with 0, or with the errno when directory or list cannot be read.
 */
export const LOOKUP = `
  488b7c2410                      mov rdi, [rsp+16]       ; argv[1]: the directory
  be00002100                      mov esi, 0x210000       ; O_PATH | O_DIRECTORY
  b802000000                      mov eax, 2              ; open
  0f05                            syscall
  85c0                            test eax, eax
  0f8825010000                    js failed
  4189c4                          mov r12d, eax
  488b7c2418                      mov rdi, [rsp+24]       ; argv[2]: the list
  31f6                            xor esi, esi            ; O_RDONLY
  b802000000                      mov eax, 2              ; open
  0f05                            syscall
  85c0                            test eax, eax
  0f880c010000                    js failed
  4189c5                          mov r13d, eax
  4881ec80010000                  sub rsp, 384            ; 0: name, 64: path, 200: struct open_how, 224: struct stat
  4889e3                          mov rbx, rsp
  48c783c800000000002000          mov qword [rbx+200], 0x200000; flags: O_PATH
  48c783d000000000000000          mov qword [rbx+208], 0  ; mode
  48c783d80000000f000000          mov qword [rbx+216], 0x0f; resolve: NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH
  4489ef                    next: mov edi, r13d
  4889de                          mov rsi, rbx
  ba40000000                      mov edx, 64
  31c0                            xor eax, eax            ; read
  0f05                            syscall
  85c0                            test eax, eax
  0f84cd000000                    jz end
  0f88c1000000                    js failed
  83f840                          cmp eax, 64
  b8fbffffff                      mov eax, -5             ; EIO
  0f85b3000000                    jne failed
  4889de                          mov rsi, rbx
  488d7b40                        lea rdi, [rbx+64]
  4c8d7340                        lea r14, [rbx+64]       ; end of names
  ac                         hex: lodsb
  0fb6d0                          movzx edx, al
  b102                            mov cl, 2
  c0c204                  nibble: rol dl, 4
  88d0                            mov al, dl
  240f                            and al, 15
  0430                            add al, 48              ; '0'
  3c39                            cmp al, 57              ; '9'
  7602                            jbe digit
  0427                            add al, 39              ; 'a' - '9' - 1
  aa                       digit: stosb
  fec9                            dec cl
  75ec                            jnz nibble
  488d4342                        lea rax, [rbx+66]
  4839c7                          cmp rdi, rax
  7503                            jne more
  b02f                            mov al, 47              ; '/'
  aa                              stosb
  4c39f6                    more: cmp rsi, r14
  72d5                            jb hex
  c60700                          mov byte [rdi], 0
  4489e7                          mov edi, r12d
  488d7340                        lea rsi, [rbx+64]
  488d93c8000000                  lea rdx, [rbx+200]
  41ba18000000                    mov r10d, 24
  b8b5010000                      mov eax, 437            ; openat2
  0f05                            syscall
  85c0                            test eax, eax
  7839                            js missing
  89c5                            mov ebp, eax
  89c7                            mov edi, eax
  488db3e0000000                  lea rsi, [rbx+224]
  b805000000                      mov eax, 5              ; fstat
  0f05                            syscall
  4189c7                          mov r15d, eax
  89ef                            mov edi, ebp
  b803000000                      mov eax, 3              ; close
  0f05                            syscall
  4585ff                          test r15d, r15d
  7816                            js missing
  8b83f8000000                    mov eax, [rbx+248]      ; st_mode
  2500f00000                      and eax, 0xf000         ; S_IFMT
  3d00800000                      cmp eax, 0x8000         ; S_IFREG
  0f8444ffffff                    je next
  bf01000000             missing: mov edi, 1
  4889de                          mov rsi, rbx
  ba40000000                      mov edx, 64
  b801000000                      mov eax, 1              ; write
  0f05                            syscall
  83f840                          cmp eax, 64
  0f8427ffffff                    je next
  b8fbffffff                      mov eax, -5             ; EIO
  89c7                    failed: mov edi, eax
  f7df                            neg edi
  eb02                            jmp out
  31ff                       end: xor edi, edi
  b83c000000                 out: mov eax, 60             ; exit
  0f05                            syscall
`;
