/*
 * Where this process stands in the control group tree, and numbers read there: versions
 * 1, 2 and hybrid, in and outside of containers. Not what they mean: system.c, the only
 * caller.
 */
#include <os/cgroup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <os/file.h>

#define LIMIT (4 << 20) /* bytes of any file read here; mountinfo is the largest */

static char *load(const char *root, const char *path) {
    char *whole = bk__text_printf("%s%s", root, path), *text = NULL;

    if (whole && bk__file_load(whole, LIMIT, &text, NULL) != 0) {
        text = NULL;
    }
    free(whole);
    return text;
}

/* Whether word is one of the words in a list with commas, which may end at any of ends.
 */
static bool listed(const char *list, const char *word, const char *ends) {
    size_t size = strlen(word);

    for (;;) {
        size_t length = strcspn(list, ends);
        size_t item = strcspn(list, ",");

        if (item > length) {
            item = length;
        }
        if (item == size && strncmp(list, word, size) == 0) {
            return true;
        }
        if (item == length) {
            return false;
        }
        list += item + 1;
    }
}

/* The path behind "ID:controllers:" in /proc/self/cgroup. The line of version 2 has the
   id 0 and no controllers: controller NULL. Cuts text up. */
static char *own_path(char *text, const char *controller) {
    for (char *line = strtok_r(text, "\n", &text); line;
         line = strtok_r(NULL, "\n", &text)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

        if (!path) {
            continue;
        }
        if (controller ? listed(names + 1, controller, ":")
                       : bk__text_starts(line, "0:") && path == names + 1) {
            return path + 1;
        }
    }
    return NULL;
}

struct mount {
    char *root;  /* which folder of the hierarchy is mounted */
    char *point; /* and where */
};

/* mountinfo writes blanks and backslashes as \040 and so on. */
static void unescape(char *text) {
    char *to = text;

    while (*text) {
        if (*text == '\\' && strspn(text + 1, "01234567") >= 3) {
            *to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text += 4;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* "36 35 98:0 /mnt1 /mnt/parent rw,noatime master:1 - cgroup cgroup rw,memory": cuts it
 * up. */
static bool mount_of(char *line, const char *controller, struct mount *ret) {
    const char *type = controller ? "cgroup " : "cgroup2 ";
    char *tail = strstr(line, " - "), *field[5], *options;

    if (!tail || !bk__text_starts(tail + 3, type)) {
        return false;
    }
    options = strrchr(tail, ' ') + 1;
    if (controller && !listed(options, controller, "")) {
        return false;
    }
    for (size_t i = 0; i < 5; i++) {
        field[i] = strtok_r(i ? NULL : line, " ", &line);
        if (!field[i]) {
            return false;
        }
    }
    *ret = (struct mount){.root = field[3], .point = field[4]};
    unescape(ret->root);
    unescape(ret->point);
    return true;
}

/* The part of path below the mounted folder; NULL: it is not below. */
static const char *below(const char *path, const char *mounted) {
    size_t size = strcmp(mounted, "/") == 0 ? 0 : strlen(mounted);

    if (strncmp(path, mounted, size) != 0 || (path[size] != '/' && path[size]) ||
        strstr(path + size, "/..")) {
        return NULL;
    }
    return strcmp(path + size, "/") == 0 ? "" : path + size;
}

/*
 * The mount under which path can be found; a machine's tree may also be bound into a
 * container beside its own. Where none holds the path, the process is in a control group
 * namespace, or was moved out of its own: then the first mount point is the best that can
 * be seen. Cuts text up.
 */
static struct mount find_mount(char *text, const char *controller, const char *path) {
    struct mount mount, found = {NULL, NULL};
    bool fits = false;

    for (char *line = strtok_r(text, "\n", &text); line && !fits;
         line = strtok_r(NULL, "\n", &text)) {
        if (!mount_of(line, controller, &mount)) {
            continue;
        }
        fits = below(path, mount.root) != NULL;
        if (fits || !found.point) {
            found = mount;
        }
    }
    return found;
}

static int stand(const char *root, const char *path, const char *controller,
                 struct bk__cgroup *ret) {
    char *mounts = load(root, "/proc/self/mountinfo");
    struct mount mount = {NULL, NULL};
    int error = -ENOENT;

    if (mounts) {
        mount = find_mount(mounts, controller, path);
    }
    if (mount.point) {
        const char *rest = below(path, mount.root);

        ret->v2 = !controller;
        ret->top = strlen(root) + strlen(mount.point);
        ret->dir = bk__text_printf("%s%s%s", root, mount.point, rest ? rest : "");
        error = ret->dir ? 0 : -ENOMEM;
    }
    free(mounts);
    return error;
}

int bk__cgroup_find(const char *root, const char *controller, struct bk__cgroup *ret) {
    /* A controller is in one hierarchy at a time. In a hybrid set-up version 2 is there
       too, but without it; so version 1 goes first. */
    const char *const wanted[] = {controller, NULL};
    int error = -ENOENT;

    for (size_t i = 0; i < 2 && error == -ENOENT; i++) {
        char *text = load(root, "/proc/self/cgroup");
        char *path = text ? own_path(text, wanted[i]) : NULL;

        if (path) {
            error = stand(root, path, wanted[i], ret);
        }
        free(text);
    }
    return error;
}

void bk__cgroup_free(struct bk__cgroup *group) {
    free(group->dir);
    group->dir = NULL;
}

bool bk__cgroup_climb(struct bk__cgroup *group) {
    size_t size = strlen(group->dir);

    if (size <= group->top) {
        return false;
    }
    while (size > group->top && group->dir[size - 1] != '/') {
        size--;
    }
    while (size > group->top && group->dir[size - 1] == '/') {
        size--;
    }
    group->dir[size] = '\0';
    return true;
}

char *bk__cgroup_text(const struct bk__cgroup *group, const char *file) {
    char *name = bk__text_printf("/%s", file), *text;

    text = name ? load(group->dir, name) : NULL;
    free(name);
    return text;
}

/* The number at, up to a blank or the end; -1: "max", "-1", out of range, no number. */
static int64_t number_at(char *at) {
    int64_t value;

    at[strcspn(at, " \t\n")] = '\0';
    return bk__text_int(at, &value) && value >= 0 ? value : -1;
}

int64_t bk__cgroup_number(const struct bk__cgroup *group, const char *file) {
    char *text = bk__cgroup_text(group, file);
    int64_t value = text ? number_at(text) : -1;

    free(text);
    return value;
}

int64_t bk__cgroup_stat(const struct bk__cgroup *group, const char *file,
                        const char *key) {
    char *text = bk__cgroup_text(group, file), *at = text;
    size_t size = strlen(key);
    int64_t value = -1;

    while (at && (strncmp(at, key, size) != 0 || at[size] != ' ')) {
        at = strchr(at, '\n');
        if (at) {
            at++;
        }
    }
    if (at) {
        value = number_at(at + size + 1);
    }
    free(text);
    return value;
}
