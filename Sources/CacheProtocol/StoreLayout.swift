/// Where the objects are in the store of an origin. The data layer and the inbox are data-only layers of overlayfs: the redirect of a file
/// in a sealed image, `/.GIT/ab/cdef…`, leads to the object in either of them.
public enum StoreLayout {
    /// The data layer, in the directory of the origin's store.
    public static let layer = "layer"
    /// The inbox: hard links to objects that have just come, for those who looked for them in the data layer before.
    public static let inbox = "inbox"
    /// Sealed images.
    public static let images = "images"
    /// The directory of the objects in the data layer and in the inbox; the same as the prefix of an image's redirects.
    ///
    /// A name that no tree has: Git refuses `.git` in whatever case when it adds, checks and checks out (`verify_path` in its read-cache.c,
    /// `hasDotgit` in git-fsck(1)). In capitals, so that no Git command takes the store for a repository. And short: the images hold
    /// it once for each file, and up to 13 bytes fit into what a file takes anyway.
    public static let objects = ".GIT"
    /// What the directory of the objects was called in earlier layouts.
    public static let formerObjects = [".antares-objects"]
}
