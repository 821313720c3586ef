// Checks a lane with golang.org/x/mod alone, without any code of this project.
//
//	check_lane DIR VKEY: DIR holds `checkpoint`, the tiles and entry bundles
//	below `tile/`, and tlog-proof files in `proofs/`. Each thing that holds
//	is one line of output; the first that does not ends the program with 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	folder, vkey := os.Args[1], os.Args[2]
	verifier, err := note.NewVerifier(vkey)
	check(err)
	tree := openCheckpoint(read(filepath.Join(folder, "checkpoint")), verifier)
	fmt.Printf("ok checkpoint %d\n", tree.N)
	hashes := tlog.TileHashReader(tree, tiles{folder})
	for n := int64(0); n*256 < tree.N; n++ {
		checkBundle(folder, n, tree, hashes)
	}
	proofs, err := filepath.Glob(filepath.Join(folder, "proofs", "*.tlog-proof"))
	check(err)
	for _, path := range proofs {
		checkProof(read(path), verifier)
		fmt.Println("ok", filepath.Base(path))
	}
}

func openCheckpoint(raw []byte, verifier note.Verifier) tlog.Tree {
	opened, err := note.Open(raw, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		fail("not a checkpoint of three lines with the key's name as origin")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: root}
}

// tiles serves the folder's hash tiles to x/mod, which verifies them against the tree.
type tiles struct{ folder string }

func (tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) (found [][]byte, err error) {
	for _, tile := range wanted { // x/mod writes the height into the path: tile/8/0/000
		found = append(found, read(filepath.Join(t.folder, "tile", strings.TrimPrefix(tile.Path(), "tile/8/"))))
	}
	return found, nil
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// checkBundle compares the entries of one bundle with the verified level 0 hashes.
func checkBundle(folder string, n int64, tree tlog.Tree, hashes tlog.HashReader) {
	width := tree.N - n*256
	if width > 256 {
		width = 256
	}
	path := tlog.Tile{H: 8, L: -1, N: n, W: int(width)}.Path()
	rest := read(filepath.Join(folder, "tile", "entries", strings.TrimPrefix(path, "tile/8/data/")))
	for index := n * 256; index < n*256+width; index++ {
		if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
			fail("bundle %d ends before entry %d", n, index)
		}
		end := 2 + int(binary.BigEndian.Uint16(rest))
		stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		if stored[0] != tlog.RecordHash(rest[2:end]) {
			fail("entry %d is not the one that the tree holds", index)
		}
		rest = rest[end:]
	}
	if len(rest) != 0 {
		fail("bytes are left over in bundle %d", n)
	}
	fmt.Printf("ok bundle %d: %d entries\n", n, width)
}

// checkProof opens a tlog-proof file and checks that its entry, carried in `extra`, is included.
func checkProof(raw []byte, verifier note.Verifier) {
	parts := strings.SplitN(string(raw), "\n\n", 2)
	lines := strings.Split(parts[0], "\n")
	if len(parts) != 2 || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("not a tlog-proof")
	}
	entry, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	check(err)
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	check(err)
	var path tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := tlog.ParseHash(line)
		check(err)
		path = append(path, hash)
	}
	tree := openCheckpoint([]byte(parts[1]), verifier)
	check(tlog.CheckRecord(path, tree.N, tree.Hash, index, tlog.RecordHash(entry)))
}

func read(path string) []byte {
	raw, err := os.ReadFile(path)
	check(err)
	return raw
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}
