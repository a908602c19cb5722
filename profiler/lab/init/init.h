/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of process 1 know of each other. */
#pragma once

/* Says on the console why the command cannot be run, and ends the VM. */
void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...);

/* /dev, /proc and /sys, to look at the machine before there is a root directory. */
void mount_early_file_systems(void);

/*
 * Makes the host's files the root directory, with the kernel's own file systems in it. `modules` is the host's directory
 * of the modules of this kernel, or empty; `directory` the working directory.
 */
void make_root_directory(const char *modules, const char *directory);

/* Waits for the port to the host. */
void open_port(void);

/*
 * Runs the command in `directory`, sends what it writes, and how it ended: 127 when it is not found, as in a shell. If
 * nothing was written for `alive_seconds`, that is sent; never if 0.
 */
void run_command(const char *directory, int alive_seconds, char **argv, char **env);
