#!/bin/sh
# The same commit through `git fast-import`, which needs no index: fewer processes, but the caller
# must edit the files and speak its language; Perl does, because git brings it along. fast-import
# moves a ref forward only, which here stands for the compare-and-swap.
#
#     fast-import.sh REF PAIRS PATHS SCRATCH     (in the repository)
#
# PAIRS: path, old and new text, each ended by NUL. PATHS: the paths, sorted, one a line.
set -eu
tip=$(git rev-parse --verify --quiet "$1")
xargs git ls-tree -r "$tip" -- <"$3" >"$4"
cut -c13-52 "$4" | git cat-file --batch | perl -e '
    use strict;
    my ($ref, $pairs, $entries, $tip) = @ARGV;
    binmode STDIN; binmode STDOUT;
    open my $file, "<:raw", $pairs or die;
    my @fields = do { local $/; split /\0/, <$file>, -1 };
    my %edits;
    while (@fields > 2) {
        my ($path, $old, $new) = splice @fields, 0, 3;
        push @{$edits{$path}}, [$old, $new];
    }
    print "commit $ref\ncommitter bench <bench\@localhost> now\ndata 5\nedits\nfrom $tip\n";
    open my $list, "<", $entries or die;
    while (my $entry = <$list>) {
        my ($mode, $path) = $entry =~ /^(\d+) .*\t(.*)\n/;
        my (undef, undef, $size) = split " ", <STDIN>;
        read(STDIN, my $data, $size) == $size or die;
        read STDIN, my $newline, 1;
        for my $edit (@{$edits{$path}}) {
            my ($old, $new) = @$edit;
            my $at = index $data, $old;
            die $path if $at < 0 or index($data, $old, $at + 1) >= 0;
            substr($data, $at, length $old) = $new;
        }
        print "M $mode inline $path\ndata ", length $data, "\n$data\n";
    }
' "$1" "$2" "$4" "$tip" | git fast-import --quiet --date-format=now
