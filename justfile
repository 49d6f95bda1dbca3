# The menu of ./just, for those who have just(1). Every recipe is the same one there.

_default:
    @./just

# Build, seal, install and boot the Debian example
build-sealed *words:
    ./just build-sealed {{words}}

# Run the sealed image's test suite in virtual machines
test-composefs *words:
    ./just test-composefs {{words}}

# Run every test: unit, guest and virtual machine
test *words:
    ./just test {{words}}

# Search for harmful inputs by fuzzing: seconds, then targets
fuzz *words:
    ./just fuzz {{words}}

# Check format, lint, types, import directions and menus
check:
    ./just check

# Format the sources and apply the linter's safe fixes
fmt:
    ./just fmt

# Write docs/cli.md from the table of verbs
reference:
    ./just reference

# Build the pages of docs/ as a site with search, into build/site
site *words:
    ./just site {{words}}

# Make what others install: npm package, Debian package, tool image
package *words:
    ./just package {{words}}

# Measure every step beside its counterparts, into bench/RESULTS.md
bench *words:
    ./just bench {{words}}

# Remove what was built and downloaded, keys included
clean:
    ./just clean
