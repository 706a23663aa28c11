package io.github.vfio4j;

import java.io.Serializable;

/**
 * An error number of Linux with its name, such as {@code EBUSY (16)}. The numbers are those of
 * {@code asm-generic/errno.h}, which x86-64 and aarch64 share.
 *
 * @param number the positive number
 */
public record Errno(int number) implements Serializable {
    /** Operation not permitted. */
    public static final Errno EPERM = new Errno(1);
    /** No such file or directory. */
    public static final Errno ENOENT = new Errno(2);
    /** Interrupted system call. */
    public static final Errno EINTR = new Errno(4);
    /** Input/output error. */
    public static final Errno EIO = new Errno(5);
    /** Argument list too long. */
    public static final Errno E2BIG = new Errno(7);
    /** No such device or address. */
    public static final Errno ENXIO = new Errno(6);
    /** Bad file descriptor. */
    public static final Errno EBADF = new Errno(9);
    /** Try again. */
    public static final Errno EAGAIN = new Errno(11);
    /** Out of memory, or over a limit on locked memory. */
    public static final Errno ENOMEM = new Errno(12);
    /** Permission denied. */
    public static final Errno EACCES = new Errno(13);
    /** Bad address. */
    public static final Errno EFAULT = new Errno(14);
    /** Device or resource busy. */
    public static final Errno EBUSY = new Errno(16);
    /** File exists. */
    public static final Errno EEXIST = new Errno(17);
    /** No such device. */
    public static final Errno ENODEV = new Errno(19);
    /** Not a directory. */
    public static final Errno ENOTDIR = new Errno(20);
    /** Invalid argument. */
    public static final Errno EINVAL = new Errno(22);
    /** File table of the system full. */
    public static final Errno ENFILE = new Errno(23);
    /** Too many open files. */
    public static final Errno EMFILE = new Errno(24);
    /** Inappropriate ioctl for device. */
    public static final Errno ENOTTY = new Errno(25);
    /** No space left. */
    public static final Errno ENOSPC = new Errno(28);
    /** Illegal seek. */
    public static final Errno ESPIPE = new Errno(29);
    /** The other end is closed. */
    public static final Errno EPIPE = new Errno(32);
    /** Result not representable. */
    public static final Errno ERANGE = new Errno(34);
    /** Function not implemented. */
    public static final Errno ENOSYS = new Errno(38);
    /** No message of the desired type. */
    public static final Errno ENOMSG = new Errno(42);
    /** The answer makes no sense. */
    public static final Errno EPROTO = new Errno(71);
    /** Not a message of the kind that was expected. */
    public static final Errno EBADMSG = new Errno(74);
    /** Value too large. */
    public static final Errno EOVERFLOW = new Errno(75);
    /** File descriptor in bad state. */
    public static final Errno EBADFD = new Errno(77);
    /** Too many users. */
    public static final Errno EUSERS = new Errno(87);
    /** Message too long. */
    public static final Errno EMSGSIZE = new Errno(90);
    /** Operation not supported. */
    public static final Errno EOPNOTSUPP = new Errno(95);
    /** Address in use. */
    public static final Errno EADDRINUSE = new Errno(98);
    /** The other end closed the connection with messages unread. */
    public static final Errno ECONNRESET = new Errno(104);
    /** Nobody listens. */
    public static final Errno ECONNREFUSED = new Errno(111);

    /** The kernel lacks what is needed; a number of the kernel's own, which no program should see and some do. */
    public static final Errno ENOTSUPP = new Errno(524);

    // Index = number; asm-generic/errno-base.h and errno.h. 41 and 58 are not assigned.
    private static final String[] NAMES = ("0 EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM"
                    + " EACCES EFAULT ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY"
                    + " ETXTBSY EFBIG ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS"
                    + " ENOTEMPTY ELOOP 41 ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT"
                    + " EBADE EBADR EXFULL ENOANO EBADRQC EBADSLT 58 EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG"
                    + " EREMOTE ENOLINK EADV ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD"
                    + " EREMCHG ELIBACC ELIBBAD ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK"
                    + " EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP"
                    + " EPFNOSUPPORT EAFNOSUPPORT EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED"
                    + " ECONNRESET ENOBUFS EISCONN ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN"
                    + " EHOSTUNREACH EALREADY EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT"
                    + " ENOMEDIUM EMEDIUMTYPE ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD"
                    + " ENOTRECOVERABLE ERFKILL EHWPOISON")
            .split(" ");

    /**
     * Makes an error number.
     *
     * @throws IllegalArgumentException if {@code number} is not positive
     */
    public Errno {
        if (number <= 0) {
            throw new IllegalArgumentException("an errno is positive, not " + number);
        }
    }

    /**
     * Returns the kernel's name, such as {@code EBUSY}; {@code errno 4711} for a number without one.
     *
     * @return the name
     */
    public String name() {
        if (equals(ENOTSUPP)) {
            return "ENOTSUPP";
        }
        boolean named = number < NAMES.length && NAMES[number].charAt(0) == 'E';
        return named ? NAMES[number] : "errno " + number;
    }

    /** Says what to do about an errno that no rule explains. */
    String next() {
        return switch (name()) {
            case "EPERM", "EACCES" -> "run as a user who may do this; the kernel's log (dmesg) may say what forbids it";
            case "ENOENT" -> "check the name, and that the driver which makes it is loaded";
            case "EINTR", "EAGAIN", "EBUSY" -> "try again, or find out who else uses it at the moment";
            case "EMFILE" -> "close files, or raise the limit (ulimit -n, LimitNOFILE= in systemd)";
            case "ENFILE" -> "the whole machine has too many files open: close some, or raise fs.file-max";
            case "ENOMEM", "ENOSPC" -> "close what is not needed: memory, or a limit of the kernel, is used up";
            case "EIO", "ENXIO", "ENODEV", "ETIMEDOUT" ->
                "look at the kernel's log (dmesg): the device may be unplugged, without power or broken";
            default -> "look at the kernel's log (dmesg); this kernel may know less than those the library was made for";
        };
    }

    /** Returns name and number, such as {@code EBUSY (16)}. */
    @Override
    public String toString() {
        return name() + " (" + number + ")";
    }
}
