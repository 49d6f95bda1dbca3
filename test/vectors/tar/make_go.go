// Writes the tree of README.md with Go's archive/tar in the forms it has: go run make_go.go DIRECTORY
package main

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"time"
)

var when = time.Unix(1000000000, 0)

type entry struct {
	header tar.Header
	body   string
}

func tree() []entry {
	long := "usr/" + strings.Repeat("d", 90) + "/" + strings.Repeat("f", 90)
	return []entry{
		{tar.Header{Name: "usr/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "usr/bin/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: "usr/bin/large", Typeflag: tar.TypeReg, Mode: 0o755}, strings.Repeat("large\n", 1000)},
		{tar.Header{Name: "usr/bin/small", Typeflag: tar.TypeReg, Mode: 0o4711}, "small\n"},
		{tar.Header{Name: "usr/empty", Typeflag: tar.TypeReg, Mode: 0o600}, ""},
		{tar.Header{Name: "usr/hard", Typeflag: tar.TypeLink, Linkname: "usr/bin/large", Mode: 0o755}, ""},
		{tar.Header{Name: "usr/owned", Typeflag: tar.TypeReg, Uid: 1000, Gid: 100, Mode: 0o640}, "owned by somebody\n"},
		{tar.Header{Name: "usr/pipe", Typeflag: tar.TypeFifo, Mode: 0o644}, ""},
		{tar.Header{Name: "usr/soft", Typeflag: tar.TypeSymlink, Linkname: "bin/small", Mode: 0o777}, ""},
		{tar.Header{Name: "usr/tty", Typeflag: tar.TypeChar, Devmajor: 5, Devminor: 1, Mode: 0o620}, ""},
		{tar.Header{Name: filepath.Dir(long) + "/", Typeflag: tar.TypeDir, Mode: 0o755}, ""},
		{tar.Header{Name: long, Typeflag: tar.TypeReg, Mode: 0o644}, "a long name\n"},
	}
}

func write(path string, format tar.Format, change func(*tar.Header)) {
	file, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	writer := tar.NewWriter(file)
	for _, each := range tree() {
		header := each.header
		header.ModTime = when
		header.Size = int64(len(each.body))
		header.Format = format
		change(&header)
		if err := writer.WriteHeader(&header); err != nil {
			panic(err)
		}
		if _, err := writer.Write([]byte(each.body)); err != nil {
			panic(err)
		}
	}
	if err := writer.Close(); err != nil {
		panic(err)
	}
}

func main() {
	directory := os.Args[1]
	same := func(*tar.Header) {}
	write(filepath.Join(directory, "go-gnu.tar"), tar.FormatGNU, same)
	write(filepath.Join(directory, "go-ustar.tar"), tar.FormatUSTAR, same)
	write(filepath.Join(directory, "go-unspecified.tar"), tar.FormatUnknown, same)
	write(filepath.Join(directory, "go-pax.tar"), tar.FormatPAX, func(header *tar.Header) {
		// As docker and podman write their layers: with times of their own, which no tree shows.
		header.AccessTime = when.Add(time.Second)
		header.ChangeTime = when.Add(2 * time.Second)
	})
}
