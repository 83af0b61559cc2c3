import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.SchemaFactory;
import org.jpmml.evaluator.Evaluator;
import org.jpmml.evaluator.LoadingModelEvaluatorBuilder;

/** Arguments: a PMML document, a file of lines `longitude,latitude`, and the file for the cluster of each line. */
public final class Evaluate {
  private Evaluate() {}

  public static void main(String[] arguments) throws Exception {
    validate(new File(arguments[0]));
    Evaluator evaluator = new LoadingModelEvaluatorBuilder().load(new File(arguments[0])).build();
    // By the records of the document's own ModelVerification.
    evaluator.verify();
    List<String> clusters = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of(arguments[1]))) {
      String[] fields = line.split(",");
      Map<String, ?> results =
          evaluator.evaluate(
              Map.of(
                  "longitude", Double.valueOf(fields[0]), "latitude", Double.valueOf(fields[1])));
      clusters.add(String.valueOf(results.get("cluster")));
    }
    Files.write(Path.of(arguments[2]), clusters);
  }

  /** By the schema of the Data Mining Group, which the library brings along. */
  private static void validate(File document) throws Exception {
    SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI)
        .newSchema(Evaluator.class.getResource("/pmml.xsd"))
        .newValidator()
        .validate(new StreamSource(document));
  }
}
